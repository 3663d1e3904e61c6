// Processes as the system sees them: make one, wait for one, signal one, end.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "platform/file_descriptor.hpp"

namespace chorus::inline v0::detail::platform {

int process_id() noexcept;
/// False once it was killed or has ended, and its parent has heard of it. A number that was given to another
/// process meanwhile exists.
bool process_exists(int pid) noexcept;
/// Throws OsError, which names the call, where the system lacks or refuses one that starting a process and
/// watching it cannot do without.
void require_process_calls();
/// Whether open_process() works. False under a valgrind that does not know pidfd_open (3.19 does not), where
/// only processes that are executed can be watched.
bool can_open_processes() noexcept;
int parent_process_id() noexcept;
/// Whether this program has rights that who executed it need not have (setuid, setgid, file capabilities):
/// then its environment and its open descriptors are untrusted input.
bool has_rights_of_another() noexcept;

/// A handle that never means another process, even when the number is used again.
FileDescriptor open_process(int pid);
/// A descriptor that is readable once this process's parent, known by its number, has ended.
FileDescriptor open_parent(int pid);
bool process_has_ended(int process);
/// By SIGSTOP or the like. Requires: a child that was not collected yet.
bool process_is_stopped(int pid) noexcept;
/// Returns false when the process has ended.
bool signal_process(int process, int signal);

/// What the system tells of a child that has ended.
struct Ended {
    int exitcode = 0;             ///< 0…255, or -SIGNAL
    std::size_t peak_memory = 0;  ///< bytes that were resident at most, before an exec too; 0: not known
};
/// Collects it from the system. Somebody else in this program may have collected it first (`waitpid(-1)`,
/// SIGCHLD ignored): then the system is asked in another way, and nullopt means that it no longer knows.
std::optional<Ended> collect(int process);
/// For tests: false makes it a system before Linux 6.15, which knows nothing of what was collected already.
inline constinit std::atomic<bool> system_tells_of_collected{true};

/// From now on this process writes how it ends into this word, just before it does; copies of it do not. The
/// word stays mapped, and holds 0.
void tell_end_at(std::atomic<std::uint32_t>& word) noexcept;
bool tells_end() noexcept;
// Safe in a signal's handler. Nothing is written if no word was given. Two that differ are as
// none.
void tell_exit(int code) noexcept;
void tell_killed_by(int signal) noexcept;
/// What the process with this number has written, as Ended::exitcode. The word is untrusted: nullopt for all
/// that this process could not have written.
std::optional<int> end_told_by(std::uint32_t word, int pid) noexcept;

/// Waits for a child and forgets its status, where it has no handle.
void collect_child(int pid) noexcept;

/// "SIGSEGV"; "signal 99" for a number without a name.
std::string signal_name(int signal);

[[noreturn]] void leave_at_once(int code) noexcept;

/// From now on SIGINT does nothing to this process, unless it says otherwise later.
void ignore_interrupts() noexcept;
/// The same for SIGTERM.
void ignore_terminations() noexcept;
/// Whether this process has a handler for SIGTERM, or ignores it.
bool handles_terminations() noexcept;
/// From now on SIGINT, where it would just end this process, writes this line to standard error first. Not in
/// copies of the process. A handler that the program has, or installs later, is left alone. Requires: the
/// text lives for ever.
void announce_interrupts(const char* line) noexcept;
/// Called at the end of a program that waits for others: if this thread is inside a handler of a signal that
/// asks a program to end (SIGTERM and the like), which is blocked there, the next one ends it. The handler
/// has met the program anywhere, maybe where it holds what is now waited for.
void let_signals_end_their_handler() noexcept;
/// Whether this thread is inside such a handler.
bool is_inside_such_a_handler() noexcept;
/// If it is, ends the program by that signal.
void end_inside_signal_handler() noexcept;
/// Sleeps until some signal came.
void wait_for_signal() noexcept;
/// Sends SIGKILL to this process.
[[noreturn]] void kill_this_process() noexcept;

// ---- making processes -------------------------------------------------------------------------

struct Newborn {
    int pid = 0;
    FileDescriptor process;
};

/// Signals blocked in a thread, as bytes that can be handed on.
using SignalMask = std::array<std::byte, 128>;
SignalMask signal_mask() noexcept;
void set_signal_mask(const SignalMask& mask) noexcept;
void block_all_signals() noexcept;
/// Blocks all signals for a scope.
class SignalsBlocked {
public:
    SignalsBlocked() noexcept : before_(signal_mask()) { block_all_signals(); }
    ~SignalsBlocked() { set_signal_mask(before_); }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;
    const SignalMask& before() const noexcept { return before_; }

private:
    SignalMask before_;
};

struct Program {
    std::string path;
    std::vector<std::string> arguments;
    std::vector<std::string> environment;
    std::vector<int> kept_descriptors;  ///< the only ones above 2 that are open in the new process
    SignalMask mask{};
};
/// Starts a program as a child. Neither copies nor waits for the caller's memory; safe while other
/// threads run and hold locks.
Newborn execute(const Program& program);

/// Copies this process as fork() does. Returns 0 in the copy, the copy's pid here.
int fork_process();

/// Copies this (single-threaded) process into a child of its own parent. Returns 0 in the copy, and
/// the pid or -errno here. The kernel itself stores the pid into `born` before the copy runs, so that
/// whoever shares that word knows of the child even if we are killed at this instant.
int clone_sibling(std::atomic<std::int32_t>& born) noexcept;

std::vector<std::string> current_environment();
bool environment_is(const std::vector<std::string>& texts) noexcept;
/// Removes the first entry if it is this one.
void remove_first_environment_entry(const char* entry) noexcept;
void replace_environment(const std::vector<std::string>& environment);

/// Calls `in_child` in the copy after each fork() of this program, whoever calls it.
void after_fork_in_child(void (*in_child)());

/// Calls `function` first of all that exit() runs and was registered before this call.
void on_exit_call(void (*function)(int code));

// ---- a child's surroundings -------------------------------------------------------------------

/// One end is kept by a process for as long as it lives; whoever ties itself to the other is killed
/// by the kernel when the first end is gone, however its holder died.
class LifeLine {
public:
    LifeLine();
    /// To be handed to children.
    int descriptor() const noexcept { return read_.get(); }
    void drop() noexcept;

private:
    FileDescriptor read_;
    FileDescriptor write_;
};
/// Ties this process to a life line received at birth. Ends at once if its holder is gone already.
/// The returned descriptor must stay open.
FileDescriptor tie_to(int life_line);
bool life_line_is_cut(int life_line) noexcept;

/// The standard streams and the working directory of this process, to be handed on.
struct Surroundings {
    FileDescriptor directory;
    std::vector<int> streams;  ///< 0, 1, 2 where open
    std::array<bool, 3> open{};
};
Surroundings surroundings();
/// Takes them over. The descriptors are in the order directory (if any), then open streams.
void take_surroundings(bool has_directory, const std::array<bool, 3>& open,
                       std::span<const FileDescriptor> descriptors);

/// Makes this descriptor, which may be a non-blocking one, the process's standard error.
void take_standard_error(int descriptor);

/// Lets go of streams and directory that were taken over: /dev/null and / are kept for that.
class IdleStreams {
public:
    IdleStreams();
    void take_over() const noexcept;

private:
    FileDescriptor null_;
    FileDescriptor root_;
};

/// Resource limits and the CPUs this process may use, as bytes to be handed on.
using ResourceLimits = std::vector<std::byte>;
ResourceLimits resource_limits();
void take_allowances(const ResourceLimits& bytes) noexcept;

/// Bounds what this process may allocate from now on; lifting makes room for a last report.
void limit_memory(std::size_t bytes);
void lift_memory_limit() noexcept;

/// Once this process has used so much CPU time more, all its threads together, SIGXCPU kills it. Throws:
/// OsError.
void limit_cpu_time(std::chrono::nanoseconds more);
void lift_cpu_time_limit() noexcept;
/// Whether it was SIGXCPU that ended a process.
bool is_cpu_time_signal(int exitcode) noexcept;
/// Whether a process that ended so has done what no correct program does, and may have written anywhere
/// before.
bool may_have_written_anywhere(int exitcode) noexcept;

/// What a process is to the system and cannot hand on to one that exists already: its users, groups and
/// capabilities, its process group and session, its root directory, and what it has renounced.
struct Credentials {
    std::array<std::uint32_t, 6> users_and_groups{};  ///< real, effective, saved
    std::vector<std::uint32_t> further_groups;
    std::array<std::uint32_t, 6> capabilities{};
    std::array<int, 2> process_group_and_session{};
    std::array<std::uint64_t, 2> root_directory{};
    std::array<int, 2> renounced{};  ///< new privileges, system calls
    friend bool operator==(const Credentials&, const Credentials&) = default;
};
Credentials credentials();

void close_from(int first) noexcept;

int usable_cpus() noexcept;
int all_cpus() noexcept;
std::array<std::byte, 32> random_bytes();

}  // namespace chorus::inline v0::detail::platform
