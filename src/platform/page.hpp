// The unit in which memory is mapped.
#pragma once

#include <cstddef>

namespace chorus::inline v0::detail::platform {

/// In bytes: the largest that a kernel for this architecture has. Layouts of shared memory are
/// multiples of it, so that they are the same whatever kernel runs. On ARM64 a kernel has 4, 16 or 64
/// KiB.
#if defined(__aarch64__)
inline constexpr std::size_t page_size = 64 * 1024;
#else
inline constexpr std::size_t page_size = 4096;
#endif

}  // namespace chorus::inline v0::detail::platform
