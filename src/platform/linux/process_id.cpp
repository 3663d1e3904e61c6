#include "platform/process_id.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "platform/syscall.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace chorus::inline v0::detail::platform {

int process_id() noexcept { return ::getpid(); }
int parent_process_id() noexcept { return ::getppid(); }
bool process_exists(int pid) noexcept { return ::kill(pid, 0) == 0 || errno != ESRCH; }

bool process_is_stopped(int pid) noexcept {
    char path[32];
    std::snprintf(path, sizeof path, "/proc/%d/stat", pid);
    const int file = ::open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    char text[256];
    const ssize_t size = retry([&] { return ::read(file, text, sizeof text - 1); });
    ::close(file);
    text[std::max<ssize_t>(size, 0)] = '\0';
    const char* after_name = std::strrchr(text, ')');
    return after_name != nullptr && std::strncmp(after_name, ") T", 3) == 0;
}

}  // namespace chorus::inline v0::detail::platform
