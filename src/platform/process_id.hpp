// Processes by their numbers.
#pragma once

namespace chorus::inline v0::detail::platform {

int process_id() noexcept;
int parent_process_id() noexcept;
/// Returns false once the process has ended and its parent has collected it. The kernel uses a number
/// again: a number that belongs to another process meanwhile exists.
bool process_exists(int pid) noexcept;
/// Whether a signal (SIGSTOP or the like) has stopped the process. Requires: a child that was not
/// collected yet.
bool process_is_stopped(int pid) noexcept;

}  // namespace chorus::inline v0::detail::platform
