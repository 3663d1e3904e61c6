// Ends this process.
#pragma once

namespace chorus::inline v0::detail::platform {

/// Calls _exit: no exit handler runs and no stream is flushed.
[[noreturn]] void leave_at_once(int code) noexcept;
/// Sends SIGKILL to this process.
[[noreturn]] void kill_this_process() noexcept;

/// Registers a function for exit(). It runs before all functions that were registered earlier.
void on_exit_call(void (*function)(int code));

}  // namespace chorus::inline v0::detail::platform
