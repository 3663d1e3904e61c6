// The thread that hears of the ends of async's children.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include <chorus/run.hpp>
#include "worker/process_state.hpp"

namespace chorus::inline v0::detail::worker {

/// Starts that thread if it does not run yet; not before main or at the program's end, where no process is
/// started either. Throws: OsError when the system has no more threads or descriptors.
void prepare_futures();

/// Calls `ended(timed_out)` in the library's thread when the process has ended; if it runs for longer
/// than its timeout it is killed. Requires: prepare_futures().
void when_ended(ProcessPointer process, Deadline timeout, std::function<void(bool timed_out)> ended);

/// Waits until nothing is awaited any more. Returns false if nothing was, or nobody is left to hear of it.
bool finish_futures();
/// If this is that thread: it has called exit(), and hears of nothing more.
void futures_thread_leaves() noexcept;
/// In a copy made by fork.
void forget_futures();

}  // namespace chorus::inline v0::detail::worker
