#include "file.hpp"

#include <cerrno>
#include <system_error>

namespace thumbnails {
namespace {

constexpr const char* not_written = "the thumbnail cannot be written";

[[noreturn]] void throw_errno(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

// "e" in the modes: a process that another thread starts meanwhile does not get the file.
File open_to_read(const std::string& path) {
    File file(std::fopen(path.c_str(), "rbe"));
    if (file == nullptr) throw_errno("it cannot be read");
    return file;
}

File open_to_write(const std::string& temporary) {
    File file(std::fopen(temporary.c_str(), "wbe"));
    if (file == nullptr) throw_errno(not_written);
    return file;
}

void put_in_place(File file, const std::string& temporary, const std::string& path) {
    // The last bytes are written by the close, and only then is it known whether there was room for them.
    if (std::fclose(file.release()) != 0) throw_errno(not_written);
    if (std::rename(temporary.c_str(), path.c_str()) != 0) throw_errno(not_written);
}

}  // namespace thumbnails
