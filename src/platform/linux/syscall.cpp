#include "platform/syscall.hpp"

#include <cstdlib>
#include <cstring>
#include <fstream>

#include <sys/resource.h>
#include <sys/utsname.h>

namespace chorus::inline v0::detail::platform {
namespace {

std::string limit_text(int resource) {
    struct rlimit limit {};
    if (getrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) return "unknown";
    return limit.rlim_cur == RLIM_INFINITY ? "unlimited" : std::to_string(limit.rlim_cur);
}

std::string first_line(const char* path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line.empty() ? "unknown" : line;
}

bool locks_memory() {
    std::ifstream file("/proc/self/status");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("VmLck:"))
            return std::strtoull(line.c_str() + std::strlen("VmLck:"), nullptr, 10) > 0;
    }
    return false;
}

// A process that locks its memory (mlockall) is refused more beyond RLIMIT_MEMLOCK. For a mapping the
// errno says so; for other calls it is one of several reasons.
std::string lock_limit(const std::string& operation, int code) {
    const bool is_sure = code == EAGAIN && operation.starts_with("map ");
    if (!is_sure && ((code != EAGAIN && code != ENOMEM) || !locks_memory())) return "";
    return "; this process locks its memory (mlockall), and may lock " + limit_text(RLIMIT_MEMLOCK) +
           " bytes (RLIMIT_MEMLOCK, `ulimit -l` in units of 1024): raise it";
}

// The limit that a user can read or raise when the system refuses a resource.
std::string limits_behind(const std::string& operation, int code) {
    if (code == EMFILE) {
        return "; this process may have " + limit_text(RLIMIT_NOFILE) +
               " descriptors open (RLIMIT_NOFILE, `ulimit -n`): raise it, or close() or drop workers that "
               "have ended";
    }
    if (code == ENFILE) {
        return "; the system may have " + first_line("/proc/sys/fs/file-max") + " files open (fs.file-max)";
    }
    if (code == EFBIG) {
        return "; a file, and shared memory is one, may have " + limit_text(RLIMIT_FSIZE) +
               " bytes (RLIMIT_FSIZE, `ulimit -f` in units of 1024): raise it";
    }
    const bool starts = operation.find("start") != std::string::npos;
    const std::string locked = lock_limit(operation, code);
    if (starts && (code == EAGAIN || code == ENOMEM)) {
        return "; limits: " + limit_text(RLIMIT_NPROC) +
               " processes and threads of this user (RLIMIT_NPROC, `ulimit -u`), " +
               first_line("/proc/sys/kernel/threads-max") + " in the system (kernel.threads-max), " +
               first_line("/proc/sys/kernel/pid_max") +
               " process ids (kernel.pid_max), and the pids and memory limits of the control group" + locked;
    }
    if (starts && code == EPERM) {
        return "; a sandbox that refuses clone3 with EPERM does so, since the C library understands ENOSYS "
               "only "
               "(docker before 20.10.10; libseccomp before 2.5)";
    }
    return locked;
}

}  // namespace

OsError os_error(const std::string& operation, int code) {
    char buffer[256];
    const char* reason = strerror_r(code, buffer, sizeof buffer);
    return OsError(
        operation + ": " + reason + " (errno " + std::to_string(code) + ")" + limits_behind(operation, code),
        code);
}

OsError missing_call(const std::string& name, const std::string& since, int code) {
    utsname kernel{};
    ::uname(&kernel);
    return os_error("Chorus needs the system call " + name + ", which Linux has since " + since +
                        "; this is Linux " + kernel.release +
                        ", and it refuses the call, or a sandbox (seccomp) that this program runs in does",
                    code);
}

}  // namespace chorus::inline v0::detail::platform
