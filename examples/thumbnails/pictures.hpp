// The pictures below a directory.
//
// Thread safety: a pure function of the file system.
#pragma once

#include <string>
#include <vector>

namespace thumbnails {

enum class Format { none, jpeg, png, ppm };

/// By the ending of its name, as small or capital letters.
Format format_of(const std::string& path);

struct Failure {
    std::string path;
    std::string reason;
};

struct Pictures {
    std::vector<std::string> paths;  ///< below the directory, sorted
    std::vector<Failure> failures;   ///< directories that could not be read to their end
};

/// Regular files only: symbolic links are not followed, but the directory itself may be one. What lies below
/// `left_out` is passed over. Throws: std::system_error if the directory cannot be read.
Pictures find_pictures(const std::string& directory, const std::string& left_out);

}  // namespace thumbnails
