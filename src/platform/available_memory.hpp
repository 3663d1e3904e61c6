// How much memory is available, asked before much of it is reserved: the kernel does not refuse shared
// memory that it lacks, but kills processes until there is enough.
#pragma once

#include <cstddef>

namespace chorus::inline v0::detail::platform {

/// What the machine, and the control groups of this process, can still provide, in bytes. The page
/// cache counts as available.
std::size_t available_memory();

/// Throws: OsError with both numbers if there is not that much memory.
void expect_available_memory(std::size_t bytes);

/// Throws: OsError, the same, after the kernel has refused a reservation.
[[noreturn]] void throw_no_memory(std::size_t bytes);

}  // namespace chorus::inline v0::detail::platform
