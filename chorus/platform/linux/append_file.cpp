#include <chorus/platform/append_file.hpp>

#include <csignal>
#include <cstring>
#include <ctime>
#include <utility>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chorus/platform/syscall.hpp>

namespace chorus::platform {
namespace {

// Far above the program's own: those keep the numbers that they would have without this file, and who closes
// all that are open and opens others does not soon give this number to a file that is not to be written to.
constexpr int far_above = 200;

ssize_t write_once(int file, const void* data, std::size_t size) noexcept {
    return retry([&] { return ::write(file, data, size); });
}

bool is_size_limited() noexcept {
    rlimit limit{};
    return ::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

// What is written above the limit raises a signal in this thread, which is taken back; one that was pending
// before is left.
ssize_t write_below_limit(int file, const void* data, std::size_t size) noexcept {
    sigset_t too_large;
    sigset_t before;
    sigset_t pending;
    ::sigemptyset(&too_large);
    ::sigaddset(&too_large, SIGXFSZ);
    ::pthread_sigmask(SIG_BLOCK, &too_large, &before);
    ::sigpending(&pending);
    const auto written = write_once(file, data, size);
    const int code = errno;
    constexpr timespec at_once{};
    if (written < 0 && code == EFBIG && ::sigismember(&pending, SIGXFSZ) == 0)
        ::sigtimedwait(&too_large, nullptr, &at_once);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    errno = code;
    return written;
}

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
        is_size_limited() ? write_below_limit(file, data, size) : write_once(file, data, size);
    const int code = written < 0 ? errno : static_cast<std::size_t>(written) < size ? ENOSPC : 0;
    errno = before;
    return code;
}

const char* reason(int code) noexcept {
    const char* const text =
        ::strerrordesc_np(code);  // no text of the calling thread's: that may have to be made first
    return text != nullptr ? text : "unknown error";
}

}  // namespace chorus::platform
