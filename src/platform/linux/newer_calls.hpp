// System calls newer than Linux 5.4, the oldest supported kernel. A kernel or a sandbox may refuse each
// of them, and each use has a fallback. The numbers are written here, so that older headers suffice to
// compile.
#pragma once

#include <cstdint>

namespace chorus::inline v0::detail::platform {

// The same on all architectures.
inline constexpr long call_close_range = 436;  // Linux 5.9
inline constexpr long call_futex_waitv = 449;  // Linux 5.16

inline constexpr unsigned close_range_on_exec = 1U << 2;  // CLOSE_RANGE_CLOEXEC, Linux 5.11
inline constexpr int populate_for_writing = 23;           // MADV_POPULATE_WRITE, Linux 5.14

/// One word to wait on, as the kernel reads it (struct futex_waitv).
struct WaitedWord {
    std::uint64_t value;
    std::uint64_t address;
    std::uint32_t flags;
    std::uint32_t reserved;
};
inline constexpr std::uint32_t word_of_32_bits = 2;         // FUTEX_32
inline constexpr std::uint32_t word_of_this_process = 128;  // FUTEX_PRIVATE_FLAG

}  // namespace chorus::inline v0::detail::platform
