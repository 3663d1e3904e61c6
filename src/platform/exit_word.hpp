// The exit word: a word in shared memory in which a process writes how it ends, just before it does.
//
// Layout: from the lowest bit 8 bits for the exit code or the signal, 1 bit for "by a signal", 1 bit
// for "written", 22 bits for the process's number. All zero: nothing was written.
//
// Thread safety: any thread and any signal handler may write. If two threads end the process at once,
// each in another way, the word becomes invalid: the order in which they end it is not known.
// Crash safety: the word is committed by one compare-and-swap. The reader does not trust it.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

namespace chorus::inline v0::detail::platform {

/// From this call on this process writes how it ends into this word. Copies of the process do not.
/// Requires: the word stays mapped, and holds 0.
void tell_end_at(std::atomic<std::uint32_t>& word) noexcept;
bool tells_end() noexcept;
// The two may be called in a signal handler. Neither does anything if there is no word.
void tell_exit(int code) noexcept;
void tell_killed_by(int signal) noexcept;
/// What the process with this number has written, as Ended::exitcode. Returns nullopt for every word
/// that this process could not have written.
std::optional<int> end_told_by(std::uint32_t word, int pid) noexcept;

}  // namespace chorus::inline v0::detail::platform
