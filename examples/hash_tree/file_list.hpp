// The regular files below a directory.
//
// Thread safety: a pure function of the file system.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hash_tree {

struct FoundFile {
    std::string path;        ///< any bytes but zero, beginning with the directory as it was given
    std::uint64_t size = 0;  ///< when it was found; it may change at any time
};

struct Failure {
    std::string path;
    std::string reason;
};

struct FileList {
    std::vector<FoundFile> files;  ///< sorted by the bytes of the path
    std::vector<Failure>
        failures;  ///< directories that could not be read to their end, and what could not be looked at
    std::uint64_t bytes = 0;  ///< sum of the sizes
};

/// Symbolic links are not followed, but the directory itself may be one. What is neither a directory
/// nor a regular file is passed over. Throws: std::system_error if the directory cannot be read.
FileList list_files(const std::string& directory);

}  // namespace hash_tree
