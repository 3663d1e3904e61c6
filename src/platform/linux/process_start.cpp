#include "platform/process_start.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>

#include "platform/linux/newer_calls.hpp"
#include "platform/process_handle.hpp"
#include "platform/syscall.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef PR_GET_TID_ADDRESS
#define PR_GET_TID_ADDRESS 40
#endif

// The C library's own names, which no sanitizer intercepts: between clone and exec a child runs in its
// parent's memory, and a sanitizer would attribute its actions to the parent.
extern "C" {
int __clone(int (*function)(void*), void* stack, int flags, void* argument, ...);
int __sigaction(int signal, const struct sigaction* action, struct sigaction* before);
}

namespace chorus::inline v0::detail::platform {
namespace {

// All that the new process needs between clone and exec, made before the clone. In between it may
// neither allocate nor lock, because it runs in its parent's memory while other threads continue.
struct Launch {
    const char* path;
    char** arguments;
    char** environment;
    const int* kept;
    std::size_t kept_count;
    const SignalMask* mask;
    int error;
};

// For kernels and sandboxes without close_range. Allocates nothing and takes no lock: it runs between
// clone and exec. Closing descriptors while their directory is read is safe, because the position in
// the directory is the descriptor's number.
template <class Do>
void for_each_descriptor_from(int first, Do what) noexcept {
    const int directory = ::open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    alignas(dirent64) char entries[2048];
    long size = ::syscall(SYS_getdents64, directory, entries, sizeof entries);
    if (size < 0) {
        if (directory >= 0) ::close(directory);
        struct rlimit limit {};
        const bool is_known = ::getrlimit(RLIMIT_NOFILE, &limit) == 0;
        constexpr rlim_t most = 1U << 20;  // the kernel's own default bound (fs.nr_open)
        const int end = static_cast<int>(is_known ? std::min(limit.rlim_cur, most) : most);
        for (int descriptor = first; descriptor < end; ++descriptor) what(descriptor);
        return;
    }
    for (; size > 0; size = ::syscall(SYS_getdents64, directory, entries, sizeof entries)) {
        for (long at = 0; at < size;) {
            const auto& entry = *reinterpret_cast<const dirent64*>(entries + at);
            at += entry.d_reclen;
            int descriptor = 0;
            const char* digit = entry.d_name;
            for (; *digit >= '0' && *digit <= '9'; ++digit) descriptor = descriptor * 10 + (*digit - '0');
            const bool is_number = digit != entry.d_name && *digit == '\0';
            if (is_number && descriptor >= first && descriptor != directory) what(descriptor);
        }
    }
    ::close(directory);
}

void close_on_exec_from(int first) noexcept {
    if (::syscall(call_close_range, static_cast<unsigned>(first), ~0U, close_range_on_exec) == 0) return;
    for_each_descriptor_from(first, [](int descriptor) { ::fcntl(descriptor, F_SETFD, FD_CLOEXEC); });
}

// It never returns. What the address sanitizer records about its stack would outlive the stack, and be
// applied to the memory that follows there.
[[gnu::no_sanitize_address]] int launch(void* context) {
    auto& plan = *static_cast<Launch*>(context);
    // A handler of the parent must not run in the child. The executed program installs its own.
    for (int signal = 1; signal < NSIG; ++signal) {
        struct sigaction action {};
        if (::__sigaction(signal, nullptr, &action) != 0 || action.sa_handler == SIG_DFL ||
            action.sa_handler == SIG_IGN)
            continue;
        action.sa_handler = SIG_DFL;
        action.sa_flags = 0;
        ::__sigaction(signal, &action, nullptr);
    }
    close_on_exec_from(3);
    for (std::size_t i = 0; i < plan.kept_count; ++i) ::fcntl(plan.kept[i], F_SETFD, 0);
    set_signal_mask(*plan.mask);
    ::execve(plan.path, plan.arguments, plan.environment);
    plan.error = errno;
    ::_exit(127);
}

std::vector<char*> as_pointers(const std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
    pointers.push_back(nullptr);
    return pointers;
}

}  // namespace

StartedProcess execute(const Program& program) {
    auto arguments = as_pointers(program.arguments);
    auto environment = as_pointers(program.environment);
    Launch plan{program.path.c_str(),
                arguments.data(),
                environment.data(),
                program.kept_descriptors.data(),
                program.kept_descriptors.size(),
                &program.mask,
                0};
    constexpr std::size_t stack_size = 64 * 1024;
    void* stack =
        ::mmap(nullptr, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) throw os_error("start a process: its stack", errno);
    int process = -1;
    int pid = -1;
    int error = 0;
    {
        const SignalsBlocked blocked;
        pid = ::__clone(launch, static_cast<char*>(stack) + stack_size,
                        CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &plan, &process);
        error = errno;
    }
    ::munmap(stack, stack_size);
    if (pid < 0) throw os_error("start a process", error);
    StartedProcess child{pid, above_standard_streams(process)};
    if (plan.error != 0) {
        wait_readable(child.process.get());
        collect(child.process.get());
        const bool by_proc = plan.error == ENOENT && program.path.starts_with("/proc/");
        throw os_error("start " + program.path + (by_proc ? " (is /proc mounted?)" : ""), plan.error);
    }
    return child;
}

int fork_process() { return check(::fork(), "start a process"); }

[[gnu::hot]] int clone_sibling(std::atomic<std::int32_t>& born) noexcept {
    // The kernel's record of a thread holds two addresses of the C library, which would be stale in the
    // copy: of the thread's id (every robust lock reads it there) and of the robust list. fork() renews
    // both itself; a bare clone needs them as arguments.
    static int* thread_id = [] {
        int* address = nullptr;
        return ::prctl(PR_GET_TID_ADDRESS, &address) == 0 ? address : nullptr;
    }();
    static struct RobustList {
        void* head = nullptr;
        std::size_t size = 0;
        RobustList() { ::syscall(SYS_get_robust_list, 0, &head, &size); }
    } robust_list;
    static_assert(sizeof born == sizeof(pid_t) && std::atomic<std::int32_t>::is_always_lock_free);
    const long flags =
        CLONE_PARENT | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD;
#if defined(__x86_64__)
    const long pid = ::syscall(SYS_clone, flags, nullptr, &born, thread_id, nullptr);
#else
    const long pid = ::syscall(SYS_clone, flags, nullptr, &born, nullptr, thread_id);
#endif
    if (pid < 0) return -errno;
    if (pid == 0 && robust_list.head != nullptr)
        ::syscall(SYS_set_robust_list, robust_list.head, robust_list.size);
    return static_cast<int>(pid);
}

void after_fork_in_child(void (*in_child)()) { ::pthread_atfork(nullptr, nullptr, in_child); }

}  // namespace chorus::inline v0::detail::platform
