#include "platform/life_line.hpp"

#include <csignal>
#include <string>
#include <utility>

#include "platform/syscall.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace chorus::inline v0::detail::platform {

LifeLine::LifeLine() {
    auto ends = make_pipe();
    read_ = std::move(ends.first);
    write_ = std::move(ends.second);
    // A child needs the right to open the pipe anew, also after its parent has changed its user. Other
    // processes cannot find it: /proc shows descriptors only to processes that may trace this one.
    check(::fchmod(read_.get(), S_IRUSR | S_IRGRP | S_IROTH), "make a life line");
}

void LifeLine::drop() noexcept {
    read_.reset();
    write_.reset();
}

FileDescriptor tie_to(int life_line) {
    // Opened anew: the signal is a property of the open file, not of the descriptor.
    const std::string path = "/proc/self/fd/" + std::to_string(life_line);
    FileDescriptor own = above_standard_streams(check(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC),
                                                      "open the parent's life line (is /proc mounted?)"));
    check(::fcntl(own.get(), F_SETOWN, ::getpid()), "tie this process to its parent");
    check(::fcntl(own.get(), F_SETSIG, SIGKILL), "tie this process to its parent");
    check(::fcntl(own.get(), F_SETFL, O_ASYNC | O_NONBLOCK), "tie this process to its parent");
    if (life_line_is_cut(own.get())) ::_exit(128 + SIGKILL);  // the parent died before this process was tied
    return own;
}

bool life_line_is_cut(int life_line) noexcept {
    char byte = 0;
    return ::read(life_line, &byte, 1) == 0;
}

}  // namespace chorus::inline v0::detail::platform
