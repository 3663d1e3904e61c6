// The regular files below a directory.
//
// Thread safety: a pure function of the file system.
#pragma once

#include <string>
#include <vector>

namespace grep_tree {

struct Failure {
    std::string path;
    std::string reason;
    std::string stack{};  ///< of a worker that died of this file, one frame a line
};

struct Files {
    std::vector<std::string> paths;  ///< beginning with the directory as it was given; sorted
    std::vector<Failure>
        failures;  ///< directories that could not be read to their end, and what could not be looked at
};

/// Symbolic links are not followed, but the directory itself may be one. What is neither a directory nor a
/// regular file is passed over. Throws: std::system_error if the directory cannot be read.
Files find_files(const std::string& directory);

}  // namespace grep_tree
