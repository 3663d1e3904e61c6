#include "platform/append_file.hpp"

#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/linux/file_size_limit.hpp"
#include "platform/syscall.hpp"

namespace chorus::inline v0::detail::platform {
namespace {

// Far above the program's own descriptors. Those keep the numbers that they would have without this
// file. A program that closes all descriptors and opens others does not soon give this number to an
// unrelated file.
constexpr int far_above = 200;

}  // namespace

FileDescriptor open_to_append(const std::string& path, bool emptied) {
    const int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | (emptied ? O_TRUNC : 0);
    auto file = above_standard_streams(
        check(retry([&] { return ::open(path.c_str(), flags, 0666); }), "open a file to append to"));
    struct stat status {};
    check(::fstat(file.get(), &status), "look at a file to append to");
    if (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode))
        throw os_error("append to a file: it is a pipe", ESPIPE);
    check(::fcntl(file.get(), F_SETFL, flags & ~O_NONBLOCK), "make a file wait");
    const int moved = ::fcntl(file.get(), F_DUPFD_CLOEXEC, far_above);
    return moved < 0 ? std::move(file) : FileDescriptor(moved);  // a program may be allowed fewer
}

int append(int file, const void* data, std::size_t size) noexcept {
    const int before = errno;
    const auto written =
        without_size_signal([&] { return retry([&] { return ::write(file, data, size); }); });
    const int code = written < 0 ? errno : static_cast<std::size_t>(written) < size ? ENOSPC : 0;
    errno = before;
    return code;
}

const char* reason(int code) noexcept {
    const char* const text =
        ::strerrordesc_np(code);  // not strerror: its text may have to be allocated first
    return text != nullptr ? text : "unknown error";
}

}  // namespace chorus::inline v0::detail::platform
