// How much memory there is to be had, asked before much of it is reserved: the system does not refuse shared
// memory that it has not got, it ends processes until there is enough.
#pragma once

#include <cstddef>

namespace chorus::inline v0::detail::platform {

/// What the machine, and the control groups that this process belongs to, can still give, in bytes. Memory
/// that only holds files for speed counts as available.
std::size_t available_memory();

/// Throws: OsError with both numbers if there is not that much memory.
void expect_available_memory(std::size_t bytes);

/// The error that says so, for who was refused.
[[noreturn]] void throw_no_memory(std::size_t bytes);

}  // namespace chorus::inline v0::detail::platform
