// SHA-256 of files, and the line that sha256sum prints for one.
//
// Thread safety: any number of threads at once; each call has its own buffer and context.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hash_tree {

/// What became of one file. Plain data: it travels between processes.
struct Hashed {
    std::string digest;       ///< 64 hexadecimal digits; "" if the file could not be read
    std::string error;        ///< why not
    std::uint64_t bytes = 0;  ///< read from it
};

/// One result for each path, in the same order. A file that cannot be read fails alone.
/// Throws: std::runtime_error if libcrypto has no SHA-256.
std::vector<Hashed> hash_files(const std::vector<std::string>& paths);

/// Loads libcrypto's tables. Once in the fork server it is done for all its children.
void load_sha256();

/// "DIGEST  PATH\n"; with a newline, carriage return or backslash in the path, these escaped and a
/// backslash in front of the line.
std::string sha256sum_line(const std::string& digest, const std::string& path);

/// The path with the same escapes, so that it stays on one line.
std::string escaped(const std::string& path);

}  // namespace hash_tree
