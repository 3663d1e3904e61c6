// Random numbers from the kernel, for names and keys.
#pragma once

#include <array>
#include <cstddef>

namespace chorus::inline v0::detail::platform {

/// Throws: OsError.
std::array<std::byte, 32> random_bytes();

}  // namespace chorus::inline v0::detail::platform
