// Signals: their names, their meaning as exit codes, and what this process does about SIGINT and
// SIGTERM.
#pragma once

#include <string>

namespace chorus::inline v0::detail::platform {

/// "SIGSEGV"; "signal 99" for a number without a name.
std::string signal_name(int signal);
/// Whether SIGXCPU has ended a process with this exit code.
bool is_cpu_time_signal(int exitcode) noexcept;
/// Whether the exit code is that of a fault that no correct program has. A process that ended so may
/// have written anywhere in shared memory before.
bool may_have_written_anywhere(int exitcode) noexcept;

/// From this call on this process ignores SIGINT, unless it installs a handler later.
void ignore_interrupts() noexcept;
/// The same for SIGTERM.
void ignore_terminations() noexcept;
/// Whether this process has a handler for SIGTERM, or ignores it.
bool handles_terminations() noexcept;
/// From this call on a SIGINT that ends this process writes the line to standard error first. Copies of
/// the process do not write it. A handler that the program has, or installs later, is left alone.
/// Requires: the text is never destroyed.
void announce_interrupts(const char* line) noexcept;

/// Called at the end of a program that waits for workers. If this thread is inside a handler of a
/// signal that asks a program to end (SIGTERM and the like), that signal is blocked there: after this
/// call the next one ends the program. The handler may have interrupted the thread while it held what
/// the end waits for.
void let_signals_end_their_handler() noexcept;
/// Whether this thread is inside such a handler.
bool is_inside_such_a_handler() noexcept;
/// If it is, ends the program by that signal.
void end_inside_signal_handler() noexcept;
/// Sleeps until a signal arrives.
void wait_for_signal() noexcept;

}  // namespace chorus::inline v0::detail::platform
