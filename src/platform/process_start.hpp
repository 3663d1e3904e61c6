// Makes processes: by clone and exec, by fork, and as a sibling of this process.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "platform/file_descriptor.hpp"
#include "platform/signal_mask.hpp"

namespace chorus::inline v0::detail::platform {

/// A child as the kernel returns it.
struct StartedProcess {
    int pid = 0;
    FileDescriptor process;  ///< its handle (pidfd)
};

struct Program {
    std::string path;
    std::vector<std::string> arguments;
    std::vector<std::string> environment;
    std::vector<int> kept_descriptors;  ///< the only ones above 2 that are open in the new process
    SignalMask mask{};
};
/// Executes a program as a child. Neither copies nor waits for the caller's memory.
///
/// Thread safety: may be called while other threads run and hold locks.
StartedProcess execute(const Program& program);

/// Copies this process as fork() does. Returns 0 in the copy, and the copy's pid in this process.
int fork_process();

/// Copies this process into a child of its own parent. Returns 0 in the copy, and the pid or -errno in
/// this process. Requires: this process has one thread.
///
/// Crash safety: the kernel stores the pid into `born` before the copy runs. A process that shares the
/// word knows of the child even if this process is killed at that instant.
int clone_sibling(std::atomic<std::int32_t>& born) noexcept;

/// Calls `in_child` in the copy after each fork() of this program, also after one that Chorus did not
/// call.
void after_fork_in_child(void (*in_child)());

}  // namespace chorus::inline v0::detail::platform
