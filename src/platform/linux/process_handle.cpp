#include "platform/process_handle.hpp"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>

#include "platform/execution.hpp"
#include "platform/os_thread.hpp"
#include "platform/robust_mutex.hpp"
#include "platform/syscall.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace chorus::inline v0::detail::platform {
namespace {

constexpr auto wait_by_descriptor = static_cast<idtype_t>(3);  // P_PIDFD, missing from older headers

// Linux 6.15 reports the exit status of a collected process to the holder of its pidfd. The structure
// is the kernel's (linux/pidfd.h), which Debian 12's headers lack.
struct PidfdInfo {
    std::uint64_t mask;
    std::uint64_t cgroup;
    std::uint32_t ids[11];
    std::int32_t exit_code;
};
static_assert(sizeof(PidfdInfo) == 64);
constexpr unsigned long get_pidfd_info = _IOWR(0xFF, 11, PidfdInfo);
constexpr std::uint64_t exit_status_wanted = 1U << 3;

std::optional<int> exit_code_after_collection(int process) {
    if (!system_tells_of_collected) return std::nullopt;
    // With SIGCHLD ignored the kernel reaps children itself: the pidfd becomes readable first, and the
    // exit status is available slightly later, when the pidfd reports POLLHUP.
    constexpr int most_looks = 100;
    for (int look = 0; look < most_looks; ++look) {
        PidfdInfo info{};
        info.mask = exit_status_wanted;
        const int result = ::ioctl(process, get_pidfd_info, &info);
        if (result != 0 && errno != ESRCH) return std::nullopt;  // an older kernel
        if (result == 0 && (info.mask & exit_status_wanted) != 0)
            return WIFEXITED(info.exit_code) ? WEXITSTATUS(info.exit_code) : -WTERMSIG(info.exit_code);
        pollfd hung_up{process, 0, 0};
        if (::poll(&hung_up, 1, 10) > 0 && result != 0) yield_processor();
    }
    return std::nullopt;
}

}  // namespace

void require_process_calls() {
    static constinit std::atomic<bool> are_there{false};
    if (are_there.load(std::memory_order_relaxed)) return;
    const FileDescriptor self(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
    const bool is_refused = !self && errno != EMFILE && errno != ENFILE;
    if (is_refused && !is_under_valgrind()) throw missing_call("pidfd_open", "5.3", errno);
    if (self) {
        siginfo_t info{};
        // This process is no child of its own.
        if (::syscall(SYS_waitid, wait_by_descriptor, self.get(), &info, WEXITED | WNOHANG, nullptr) < 0 &&
            errno != ECHILD)
            throw missing_call("waitid with P_PIDFD", "5.4", errno);
    }
    require_robust_list();
    are_there.store(static_cast<bool>(self), std::memory_order_relaxed);
}

bool can_open_processes() noexcept {
    if (!is_under_valgrind()) return true;
    return static_cast<bool>(FileDescriptor(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0))));
}

FileDescriptor open_process(int pid) {
    const auto number = ::syscall(SYS_pidfd_open, pid, 0);
    return above_standard_streams(static_cast<int>(check(number, "open a process")));
}

FileDescriptor open_parent(int pid) {
    if (::getppid() == pid) {
        FileDescriptor parent(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
        if (parent && ::getppid() == pid) return above_standard_streams(parent.release());
    }
    auto ended = make_pipe();  // the other end is closed: readable from now on
    return std::move(ended.first);
}

bool process_has_ended(int process) {
    pollfd waited{process, POLLIN, 0};
    return retry([&] { return ::poll(&waited, 1, 0); }) > 0;
}

namespace {

// Signals by number if pidfd_send_signal is refused: valgrind 3.19 does not know the call. The kernel
// reports the number of a pidfd. The number belongs to the process as long as it has not been
// collected.
long signal_by_number(int process, int signal) {
    std::ifstream file("/proc/self/fdinfo/" + std::to_string(process));
    int pid = -1;
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("Pid:")) pid = std::atoi(line.c_str() + 4);
    }
    if (pid > 0) return ::kill(pid, signal);
    errno = ESRCH;
    return -1;
}

}  // namespace

bool signal_process(int process, int signal) {
    long result = ::syscall(SYS_pidfd_send_signal, process, signal, nullptr, 0);
    if (result < 0 && (errno == ENOSYS || errno == EPERM)) result = signal_by_number(process, signal);
    if (result < 0 && errno == ESRCH) return false;
    check(result, "signal a process");
    return true;
}

std::optional<Ended> collect(int process) {
    siginfo_t info{};
    rusage used{};
    // The system call also returns the resource usage, which the C library's waitid does not.
    const auto result = retry([&] {
        return ::syscall(SYS_waitid, wait_by_descriptor, process, &info, WEXITED | WNOHANG | __WALL, &used);
    });
    if (result < 0 || info.si_pid == 0) {
        const auto exitcode = exit_code_after_collection(process);
        return exitcode ? std::optional(Ended{*exitcode, 0}) : std::nullopt;
    }
    return Ended{info.si_code == CLD_EXITED ? info.si_status : -info.si_status,
                 static_cast<std::size_t>(used.ru_maxrss) * 1024};
}

void collect_child(int pid) noexcept {
    siginfo_t info{};
    retry([&] { return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | __WALL); });
}

}  // namespace chorus::inline v0::detail::platform
