// A file that is there as a whole or not at all.
#pragma once

#include <string>

namespace command {

/// Throws: std::system_error, which names it, if it could not be written, as far as that can be known before
/// there is anything to write. Changes nothing.
void expect_writable(const std::string& path);
/// Replaces what is there only when all has been written. What is no file (/dev/stdout, a pipe) is written as
/// it comes.
/// Throws: std::system_error; then the old content is still there.
void write_file(const std::string& path, const std::string& content);

}  // namespace command
