// Handles of other processes (pidfd): wait for the end of a process, collect its exit status, signal
// it.
#pragma once

#include <atomic>
#include <cstddef>
#include <optional>

#include "platform/file_descriptor.hpp"

namespace chorus::inline v0::detail::platform {

/// Throws: OsError, which names the call, if the system lacks or refuses a call that starting and
/// watching processes requires.
void require_process_calls();
/// Whether open_process() works. Returns false under a valgrind that does not know pidfd_open (3.19
/// does not): there only executed processes can be watched.
bool can_open_processes() noexcept;

/// A handle that never means another process, even when the number is used again.
FileDescriptor open_process(int pid);
/// A descriptor that is readable once this process's parent, known by its number, has ended.
FileDescriptor open_parent(int pid);
bool process_has_ended(int process);
/// Returns false if the process has ended.
bool signal_process(int process, int signal);

/// What the kernel reports of a child that has ended.
struct Ended {
    int exitcode = 0;             ///< 0…255, or -SIGNAL
    std::size_t peak_memory = 0;  ///< bytes that were resident at most, before an exec too; 0: not known
};
/// Collects the child's exit status. Other code in this program may have collected it first
/// (`waitpid(-1)`, SIGCHLD ignored). In that case the kernel is asked in another way (PIDFD_GET_INFO),
/// and nullopt means that it no longer knows the status.
std::optional<Ended> collect(int process);
/// For tests: false imitates a kernel before Linux 6.15, which reports nothing of a collected process.
inline constinit std::atomic<bool> system_tells_of_collected{true};

/// Waits for a child that has no handle, and discards its exit status.
void collect_child(int pid) noexcept;

}  // namespace chorus::inline v0::detail::platform
