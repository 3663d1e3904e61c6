// Crash records and exception stacks: where a dying process crashed, where an exception was thrown.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>

namespace chorus::inline v0::detail::platform {

constexpr std::size_t most_frames = 64;

/// A memory map longer than this is cut.
constexpr std::size_t longest_memory_map = std::size_t{1} << 20;

/// Layout of a crash's record, written by the crashing process at an offset of a file: this struct,
/// then the text of its memory map, ended by a zero byte.
struct CrashRecord {
    std::int32_t signal = 0;
    std::int32_t frame_count = 0;
    std::uint64_t fault_address = 0;
    std::array<std::uint64_t, most_frames> frames{};  ///< innermost first; the first is the fault itself
};

/// From now on a crash of this process (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS)
/// leaves a CrashRecord in the file, and stores the exit word (tell_end_at), before the process dies of
/// the same signal. Stack overflow of the calling thread included. Signals which the program handles
/// itself are left to it.
void record_crashes(int descriptor, std::size_t offset);

/// The same without a record, for a process that has an exit word (tell_end_at). Catches a stack
/// overflow only if prepare_to_record_crashes() was called before: in a copy that would cost more than
/// all else.
void tell_crashes() noexcept;

/// The same for a child made later by copying this process: prepares all that is costly.
void prepare_to_record_crashes();

/// Runs body(argument). If an exception is about to leave it, the stack at its throw is remembered
/// before it is unwound.
void watch_exceptions(void (*body)(void*), void* argument);
/// Return addresses of the last throw that left a watched body in this thread, innermost first, down to
/// watch_exceptions. None if the last body was left by none.
std::span<const std::uintptr_t> last_throw();

}  // namespace chorus::inline v0::detail::platform
