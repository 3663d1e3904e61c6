#include "platform/os_process.hpp"
#include "platform/os_thread.hpp"
#include "platform/robust_mutex.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>
#include <sstream>

#include "platform/execution.hpp"
#include "platform/linux/control_group.hpp"
#include "platform/linux/newer_calls.hpp"
#include "platform/linux/sanitizer.hpp"
#include "platform/syscall.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unwind.h>

#ifndef PR_GET_TID_ADDRESS
#define PR_GET_TID_ADDRESS 40
#endif

extern char** environ;

// The C library's own names, which no sanitizer stands in front of: between clone and exec a child runs
// in its parent's memory, and a sanitizer would take what it does there for the parent's doing.
extern "C" {
int __clone(int (*function)(void*), void* stack, int flags, void* argument, ...);
int __sigaction(int signal, const struct sigaction* action, struct sigaction* before);
}

namespace chorus::inline v0::detail::platform {
namespace {

constexpr auto wait_by_descriptor = static_cast<idtype_t>(3);  // P_PIDFD, missing from older headers

// Linux 6.15 tells the exit status of a process that has been collected already, to who holds its
// descriptor. The structure is the kernel's (linux/pidfd.h), which Debian 12's headers lack.
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
    // With SIGCHLD ignored the kernel reaps children itself: the pidfd becomes readable first, and the exit
    // status is available slightly later, when the pidfd reports POLLHUP.
    constexpr int most_looks = 100;
    for (int look = 0; look < most_looks; ++look) {
        PidfdInfo info{};
        info.mask = exit_status_wanted;
        const int result = ::ioctl(process, get_pidfd_info, &info);
        if (result != 0 && errno != ESRCH) return std::nullopt;  // a system that does not tell
        if (result == 0 && (info.mask & exit_status_wanted) != 0)
            return WIFEXITED(info.exit_code) ? WEXITSTATUS(info.exit_code) : -WTERMSIG(info.exit_code);
        pollfd hung_up{process, 0, 0};
        if (::poll(&hung_up, 1, 10) > 0 && result != 0) yield_processor();
    }
    return std::nullopt;
}

}  // namespace

int process_id() noexcept { return ::getpid(); }
bool process_exists(int pid) noexcept { return ::kill(pid, 0) == 0 || errno != ESRCH; }
bool has_rights_of_another() noexcept { return ::getauxval(AT_SECURE) != 0; }

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

int parent_process_id() noexcept { return ::getppid(); }

FileDescriptor open_process(int pid) {
    const auto number = ::syscall(SYS_pidfd_open, pid, 0);
    return above_standard_streams(static_cast<int>(check(number, "open a process")));
}

FileDescriptor open_parent(int pid) {
    if (::getppid() == pid) {
        FileDescriptor parent(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
        if (parent && ::getppid() == pid) return above_standard_streams(parent.release());
    }
    auto ended = make_pipe();  // whose other end is closed: readable for ever
    return std::move(ended.first);
}

bool process_has_ended(int process) {
    pollfd waited{process, POLLIN, 0};
    return retry([&] { return ::poll(&waited, 1, 0); }) > 0;
}

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

namespace {

// By its number, which the kernel tells of a descriptor, where pidfd_send_signal is refused: valgrind 3.19
// does not know it. The number is the process's as long as that has not been collected.
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
    // The system call tells more than the C library passes on.
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

namespace {

// In a word: the pid, whether it is written, whether it was a signal, then that or the exit code.
constexpr int bits_of_value = 8;
constexpr std::uint32_t value_mask = (1U << bits_of_value) - 1;
constexpr std::uint32_t by_signal = 1U << bits_of_value;
constexpr std::uint32_t is_told = 2U << bits_of_value;
constexpr int bits_below_pid = bits_of_value + 2;  // Linux has no more than 4,194,304 processes

constinit std::atomic<std::uint32_t>* end_word = nullptr;
constinit pid_t end_word_of = 0;

}  // namespace

[[gnu::hot]] void tell_end_at(std::atomic<std::uint32_t>& word) noexcept {
    end_word_of = ::getpid();
    end_word = &word;
}

[[gnu::hot]] bool tells_end() noexcept { return end_word != nullptr && ::getpid() == end_word_of; }

namespace {

// Two threads may end the process at once, each in its way. Which of them comes first cannot be known here:
// then the word is not valid.
[[gnu::hot]] void tell_end(std::uint32_t how) noexcept {
    if (!tells_end()) return;
    const std::uint32_t undecided = static_cast<std::uint32_t>(end_word_of) << bits_below_pid;
    const std::uint32_t told = undecided | is_told | how;
    std::uint32_t before = 0;
    if (!end_word->compare_exchange_strong(before, told) && before != told) *end_word = undecided;
}

}  // namespace

[[gnu::hot]] void tell_exit(int code) noexcept {
    if (!under_sanitizer) tell_end(static_cast<std::uint32_t>(code) & value_mask);
}
void tell_killed_by(int signal) noexcept { tell_end(by_signal | static_cast<std::uint32_t>(signal)); }

std::optional<int> end_told_by(std::uint32_t word, int pid) noexcept {
    const auto value = static_cast<int>(word & value_mask);
    if (word >> bits_below_pid != static_cast<std::uint32_t>(pid) || (word & is_told) == 0)
        return std::nullopt;
    if ((word & by_signal) == 0) return value;
    return value > 0 && value < NSIG ? std::optional(-value) : std::nullopt;
}

void collect_child(int pid) noexcept {
    siginfo_t info{};
    retry([&] { return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | __WALL); });
}

std::string signal_name(int signal) {
    const char* name = ::sigabbrev_np(signal);
    if (name != nullptr) return std::string("SIG") + name;
    return "signal " + std::to_string(signal);
}

namespace {

// Bound at the program's start, as addresses in data are: it is called in copies of a process and never in
// the original, so with lazy binding each copy would search for it anew.
void (*const volatile bound_exit)(int) = ::_exit;

}  // namespace

void ignore_interrupts() noexcept { ::signal(SIGINT, SIG_IGN); }
void ignore_terminations() noexcept { ::signal(SIGTERM, SIG_IGN); }

bool handles_terminations() noexcept {
    struct sigaction action {};
    return ::sigaction(SIGTERM, nullptr, &action) == 0 && action.sa_handler != SIG_DFL;
}

namespace {

const char* interrupt_line = nullptr;
pid_t announcing = 0;

void announce_and_end(int signal) {
    const int error = errno;  // the interrupted code goes on where the signal raised below comes later, as
                              // under a sanitizer
    if (::getpid() == announcing) {
        if (::isatty(STDERR_FILENO) == 1)
            write_all(STDERR_FILENO, "\n", 1);  // behind ^C, or a bar half drawn
        write_all(STDERR_FILENO, interrupt_line, std::strlen(interrupt_line));
    }
    ::raise(signal);  // by default again (SA_RESETHAND), and not blocked (SA_NODEFER): the end
    errno = error;
}

}  // namespace

void announce_interrupts(const char* line) noexcept {
    struct sigaction now_set {};
    if (::sigaction(SIGINT, nullptr, &now_set) != 0 || (now_set.sa_flags & SA_SIGINFO) != 0 ||
        now_set.sa_handler != SIG_DFL)
        return;
    interrupt_line = line;
    announcing = ::getpid();
    struct sigaction action {};
    action.sa_handler = announce_and_end;
    action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_NODEFER;
    ::sigaction(SIGINT, &action, nullptr);
}

namespace {

// The unwinder says of a frame whether a signal has met it between two instructions: those below a handler.
bool is_inside_a_signal_handler() noexcept {
    bool found = false;
    ::_Unwind_Backtrace(
        [](_Unwind_Context* frame, void* context) {
            int is_before_instruction = 0;
            ::_Unwind_GetIPInfo(frame, &is_before_instruction);
            if (is_before_instruction == 0) return _URC_NO_REASON;
            *static_cast<bool*>(context) = true;
            return _URC_END_OF_STACK;
        },
        &found);
    return found;
}

// Of the signals that ask a program to end those in whose handler this thread is, as far as one can see.
sigset_t signals_in_hand() noexcept {
    sigset_t blocked;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    sigset_t handled;
    ::sigemptyset(&handled);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) {
        struct sigaction action {};
        if (::sigismember(&blocked, signal) == 1 && ::sigaction(signal, nullptr, &action) == 0 &&
            action.sa_handler != SIG_IGN)
            ::sigaddset(&handled, signal);
    }
    if (::sigisemptyset(&handled) == 0 && !is_inside_a_signal_handler()) ::sigemptyset(&handled);
    return handled;
}

}  // namespace

void let_signals_end_their_handler() noexcept {
    const sigset_t handled = signals_in_hand();
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) {
        if (::sigismember(&handled, signal) == 1) ::signal(signal, SIG_DFL);
    }
    ::pthread_sigmask(SIG_UNBLOCK, &handled, nullptr);
}

bool is_inside_such_a_handler() noexcept {
    const sigset_t handled = signals_in_hand();
    return ::sigisemptyset(&handled) == 0;
}

void end_inside_signal_handler() noexcept {
    const sigset_t handled = signals_in_hand();
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) {
        if (::sigismember(&handled, signal) != 1) continue;
        ::signal(signal, SIG_DFL);
        ::pthread_kill(::pthread_self(), signal);
    }
    ::pthread_sigmask(SIG_UNBLOCK, &handled, nullptr);
}

void wait_for_signal() noexcept { ::pause(); }

void kill_this_process() noexcept {
    ::kill(::getpid(), SIGKILL);
    for (;;) ::pause();
}

[[gnu::hot]] void leave_at_once(int code) noexcept {
    bound_exit(code);
    __builtin_unreachable();
}

SignalMask signal_mask() noexcept {
    sigset_t set{};  // the kernel fills its own part only
    ::pthread_sigmask(SIG_SETMASK, nullptr, &set);
    SignalMask mask;
    static_assert(sizeof set == sizeof mask);
    std::memcpy(mask.data(), &set, sizeof set);
    return mask;
}

[[gnu::hot]] void set_signal_mask(const SignalMask& mask) noexcept {
    // The kernel looks at the first part only; the C library knows of more than there are.
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, mask.data(), nullptr, NSIG / 8);
}

void block_all_signals() noexcept {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
}

namespace {

// All that the new process needs between its birth and exec, made before it is born: there it may
// neither allocate nor lock, because it runs in its parent's memory while other threads go on.
struct Launch {
    const char* path;
    char** arguments;
    char** environment;
    const int* kept;
    std::size_t kept_count;
    const SignalMask* mask;
    int error;
};

// For kernels and sandboxes without close_range. Allocates nothing and takes no lock: it runs between birth
// and exec. Closing what a directory of descriptors lists does not disturb reading on, as the position in it
// is the descriptor's number.
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

// It never returns, so what the address sanitizer notes down about its stack would outlive that stack, and be
// held against whatever lies there next.
[[gnu::no_sanitize_address]] int launch(void* context) {
    auto& plan = *static_cast<Launch*>(context);
    // A handler of the parent must not run in here; those the program sets up it sets up itself.
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

Newborn execute(const Program& program) {
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
    Newborn newborn{pid, above_standard_streams(process)};
    if (plan.error != 0) {
        wait_readable(newborn.process.get());
        collect(newborn.process.get());
        const bool by_proc = plan.error == ENOENT && program.path.starts_with("/proc/");
        throw os_error("start " + program.path + (by_proc ? " (is /proc mounted?)" : ""), plan.error);
    }
    return newborn;
}

int fork_process() { return check(::fork(), "start a process"); }

[[gnu::hot]] int clone_sibling(std::atomic<std::int32_t>& born) noexcept {
    // Two things of the C library live in the kernel's record of a thread and would be stale in the
    // copy: where the thread's id is kept (every robust lock reads it there) and the list of robust
    // locks held. fork() repairs both for itself; a bare clone has to be told.
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

std::vector<std::string> current_environment() {
    std::vector<std::string> texts;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) texts.emplace_back(*entry);
    return texts;
}

bool environment_is(const std::vector<std::string>& texts) noexcept {
    std::size_t i = 0;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry, ++i) {
        if (i == texts.size() || texts[i] != *entry) return false;
    }
    return i == texts.size();
}

void remove_first_environment_entry(const char* entry) noexcept {
    if (environ == nullptr || *environ == nullptr || std::strcmp(*environ, entry) != 0) return;
    for (char** next = environ; *next != nullptr; ++next) *next = *(next + 1);
}

void replace_environment(const std::vector<std::string>& environment) {
    ::clearenv();
    for (const std::string& entry : environment) {
        const auto equals = entry.find('=');
        if (equals != std::string::npos)
            ::setenv(entry.substr(0, equals).c_str(), entry.c_str() + equals + 1, 1);
    }
}

void after_fork_in_child(void (*in_child)()) { ::pthread_atfork(nullptr, nullptr, in_child); }

void on_exit_call(void (*function)(int code)) {
    ::on_exit([](int code, void* context) { reinterpret_cast<void (*)(int)>(context)(code); },
              reinterpret_cast<void*>(function));
}

LifeLine::LifeLine() {
    auto ends = make_pipe();
    read_ = std::move(ends.first);
    write_ = std::move(ends.second);
    // To open it anew a child needs the right to, also one of a parent that has changed its user since.
    // Others cannot find it: /proc shows descriptors only to who may trace the process.
    check(::fchmod(read_.get(), S_IRUSR | S_IRGRP | S_IROTH), "make a life line");
}

void LifeLine::drop() noexcept {
    read_.reset();
    write_.reset();
}

FileDescriptor tie_to(int life_line) {
    // An end of one's own: the signal is a property of the open file, not of the descriptor.
    const std::string path = "/proc/self/fd/" + std::to_string(life_line);
    FileDescriptor own = above_standard_streams(check(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC),
                                                      "open the parent's life line (is /proc mounted?)"));
    check(::fcntl(own.get(), F_SETOWN, ::getpid()), "tie this process to its parent");
    check(::fcntl(own.get(), F_SETSIG, SIGKILL), "tie this process to its parent");
    check(::fcntl(own.get(), F_SETFL, O_ASYNC | O_NONBLOCK), "tie this process to its parent");
    if (life_line_is_cut(own.get())) ::_exit(128 + SIGKILL);  // the parent died before the knot was tied
    return own;
}

bool life_line_is_cut(int life_line) noexcept {
    char byte = 0;
    return ::read(life_line, &byte, 1) == 0;
}

Surroundings surroundings() {
    Surroundings result;
    result.directory = FileDescriptor(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!result.directory && (errno == EMFILE || errno == ENFILE))
        throw os_error("start a process: open its directory", errno);
    if (result.directory) result.directory = above_standard_streams(result.directory.release());
    for (int stream = 0; stream < 3; ++stream) {
        if (::fcntl(stream, F_GETFD) < 0) continue;
        result.streams.push_back(stream);
        result.open[static_cast<std::size_t>(stream)] = true;
    }
    return result;
}

void take_surroundings(bool has_directory, const std::array<bool, 3>& open,
                       std::span<const FileDescriptor> descriptors) {
    std::size_t next = 0;
    if (has_directory) {
        [[maybe_unused]] const int moved = ::fchdir(descriptors[next++].get());
    }
    for (int stream = 0; stream < 3; ++stream) {
        if (open[static_cast<std::size_t>(stream)]) {
            ::dup2(descriptors[next++].get(), stream);
        } else {
            ::close(stream);
        }
    }
}

void take_standard_error(int descriptor) {
    const int flags = check(::fcntl(descriptor, F_GETFL), "ask how a descriptor is open");
    check(::fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK),
          "let a descriptor block");  // as programs expect it
    check(::dup2(descriptor, STDERR_FILENO), "hand standard error on");
}

namespace {

// Where /dev is not mounted, a file that is empty and stays so.
FileDescriptor open_null() {
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) return above_standard_streams(null);
    const int file = ::memfd_create("chorus-null", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    auto empty = above_standard_streams(check(file, "make an empty file"));
    check(::fcntl(empty.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL),
          "seal an empty file");
    return empty;
}

}  // namespace

IdleStreams::IdleStreams()
    : null_(open_null()),
      root_(above_standard_streams(check(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), "open /"))) {}

void IdleStreams::take_over() const noexcept {
    for (int stream = 0; stream < 3; ++stream) ::dup2(null_.get(), stream);
    [[maybe_unused]] const int moved = ::fchdir(root_.get());
}

namespace {

/// Layout of the bytes.
struct AllowanceRecord {
    cpu_set_t cpus;
    std::array<struct rlimit, RLIM_NLIMITS> limits;
};

}  // namespace

ResourceLimits resource_limits() {
    AllowanceRecord record{};
    ::sched_getaffinity(0, sizeof record.cpus, &record.cpus);
    for (std::size_t i = 0; i < record.limits.size(); ++i)
        ::getrlimit(static_cast<__rlimit_resource>(i), &record.limits[i]);
    ResourceLimits bytes(sizeof record);
    std::memcpy(bytes.data(), &record, sizeof record);
    return bytes;
}

void take_allowances(const ResourceLimits& bytes) noexcept {
    AllowanceRecord record{};
    if (bytes.size() != sizeof record) return;
    std::memcpy(&record, bytes.data(), sizeof record);
    ::sched_setaffinity(0, sizeof record.cpus, &record.cpus);
    for (std::size_t i = 0; i < record.limits.size(); ++i)
        ::setrlimit(static_cast<__rlimit_resource>(i), &record.limits[i]);
}

Credentials credentials() {
    Credentials here;
    auto& ids = here.users_and_groups;
    ::getresuid(&ids[0], &ids[1], &ids[2]);
    ::getresgid(&ids[3], &ids[4], &ids[5]);
    here.further_groups.resize(static_cast<std::size_t>(std::max(::getgroups(0, nullptr), 0)));
    const int groups = ::getgroups(static_cast<int>(here.further_groups.size()), here.further_groups.data());
    here.further_groups.resize(static_cast<std::size_t>(std::max(groups, 0)));
    __user_cap_header_struct version{_LINUX_CAPABILITY_VERSION_3, 0};
    static_assert(sizeof here.capabilities == _LINUX_CAPABILITY_U32S_3 * sizeof(__user_cap_data_struct));
    ::syscall(SYS_capget, &version, here.capabilities.data());
    here.process_group_and_session = {::getpgrp(), ::getsid(0)};
    struct stat root {};
    if (::stat("/", &root) == 0) here.root_directory = {root.st_dev, root.st_ino};
    here.renounced = {::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), ::prctl(PR_GET_SECCOMP)};
    return here;
}

void limit_memory(std::size_t bytes) {
    std::ifstream file("/proc/self/statm");
    std::size_t field = 0;
    std::size_t data_pages = 0;
    for (int i = 0; i < 6 && file >> field; ++i) data_pages = field;
    const rlim_t limit = data_pages * static_cast<std::size_t>(::getpagesize()) + bytes;
    struct rlimit bound {};
    check(::getrlimit(RLIMIT_DATA, &bound), "ask for a process's memory limit");
    bound.rlim_cur = std::min(limit, bound.rlim_max);
    check(::setrlimit(RLIMIT_DATA, &bound), "limit a process's memory");
}

namespace {

// A copy made by fork has no timers.
struct CpuTimer {
    timer_t timer{};
    int pid = 0;
};
CpuTimer cpu_timer;

void set_cpu_timer(std::chrono::nanoseconds more) noexcept {
    itimerspec when{};
    when.it_value.tv_sec = static_cast<time_t>(more.count() / 1'000'000'000);
    when.it_value.tv_nsec = static_cast<long>(more.count() % 1'000'000'000);
    ::timer_settime(cpu_timer.timer, 0, &when, nullptr);
}

}  // namespace

void limit_cpu_time(std::chrono::nanoseconds more) {
    if (cpu_timer.pid != ::getpid()) {
        sigevent event{};
        event.sigev_notify = SIGEV_SIGNAL;
        event.sigev_signo = SIGXCPU;
        check(::timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &cpu_timer.timer),
              "limit a process's CPU time");
        cpu_timer.pid = ::getpid();
    }
    ::signal(SIGXCPU, SIG_DFL);
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGXCPU);
    ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
    set_cpu_timer(std::max(more, std::chrono::nanoseconds(1)));  // 0 would mean never
}

void lift_cpu_time_limit() noexcept {
    if (cpu_timer.pid == ::getpid()) set_cpu_timer({});
}

bool is_cpu_time_signal(int exitcode) noexcept { return exitcode == -SIGXCPU; }
bool may_have_written_anywhere(int exitcode) noexcept {
    return exitcode == -SIGSEGV || exitcode == -SIGBUS || exitcode == -SIGILL || exitcode == -SIGFPE ||
           exitcode == -SIGABRT;
}

void lift_memory_limit() noexcept {
    struct rlimit bound {};
    if (::getrlimit(RLIMIT_DATA, &bound) != 0) return;
    bound.rlim_cur = bound.rlim_max;
    ::setrlimit(RLIMIT_DATA, &bound);
}

void close_from(int first) noexcept {
    if (::syscall(call_close_range, static_cast<unsigned>(first), ~0U, 0) == 0) return;
    for_each_descriptor_from(first, [](int descriptor) { ::close(descriptor); });
}

int all_cpus() noexcept {
    const long count = ::sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? static_cast<int>(count) : 1;
}

int usable_cpus() noexcept {
    cpu_set_t set;
    CPU_ZERO(&set);
    int count = ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : all_cpus();
    // A group of processes may be held to a share of time, or one of the groups that it belongs to.
    for (const ControlGroup& group : control_groups("cpu")) {
        const bool in_one_file = group.version == 2;
        std::ifstream file(group.directory + (in_one_file ? "/cpu.max" : "/cpu.cfs_quota_us"));
        std::ifstream second_file(in_one_file ? "" : group.directory + "/cpu.cfs_period_us");
        std::string quota;  // "max" or "-1": none
        double period = 0;
        if (!(file >> quota) || !((in_one_file ? file : second_file) >> period) || period <= 0) continue;
        const double time = std::strtod(quota.c_str(), nullptr);
        if (time > 0) count = std::min(count, std::max(1, static_cast<int>(time / period)));
    }
    return std::max(count, 1);
}

std::array<std::byte, 32> random_bytes() {
    std::array<std::byte, 32> bytes{};
    check(retry([&] { return ::getrandom(bytes.data(), bytes.size(), 0); }), "get random bytes");
    return bytes;
}

}  // namespace chorus::inline v0::detail::platform
