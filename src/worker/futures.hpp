// The thread that receives the ends of async's children.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include <chorus/run.hpp>
#include "worker/process_state.hpp"

namespace chorus::inline v0::detail::worker {

/// Starts the thread if it does not run yet. Does nothing before main and at the program's end, where
/// no process is started either. Throws: OsError when the system has no more threads or descriptors.
void prepare_futures();

/// Calls `ended(timed_out)` in the library's thread when the process has ended. A process that runs for
/// longer than its timeout is killed. Requires: prepare_futures().
void when_ended(ProcessPointer process, Deadline timeout, std::function<void(bool timed_out)> ended);

/// Waits until no process is awaited. Returns false if none was, or if the thread has left.
bool finish_futures();
/// Does something only in that thread: it has called exit(), and receives no more ends.
void futures_thread_leaves() noexcept;
/// In a copy made by fork: the thread belongs to the original.
void forget_futures();

}  // namespace chorus::inline v0::detail::worker
