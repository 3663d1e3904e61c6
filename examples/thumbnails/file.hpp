// Files as the picture libraries want them, and how a new one appears: whole, or not at all.
//
// Thread safety: one thread at a time for each file.
// Crash safety: a writer that fails or is killed leaves the temporary file. Its name can be foreseen,
//               so a caller told of the failure can remove it; else the next run writes over it.
#pragma once

#include <cstdio>
#include <memory>
#include <string>

namespace thumbnails {

struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Close>;

/// Throws: std::system_error.
File open_to_read(const std::string& path);

/// A file that is not to be seen yet. Throws: std::system_error.
File open_to_write(const std::string& temporary);

/// Gives it its name, which lies in the same directory; it takes the place of what had that name.
/// Throws: std::system_error.
void put_in_place(File file, const std::string& temporary, const std::string& path);

}  // namespace thumbnails
