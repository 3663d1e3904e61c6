// Resource limits of this process (setrlimit): handed on to a child, and set for its memory and CPU
// time.
#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

namespace chorus::inline v0::detail::platform {

/// Resource limits and the CPUs that a process may use, as bytes that can be handed on.
using ResourceLimits = std::vector<std::byte>;
ResourceLimits resource_limits();
/// Makes them this process's. Bytes of another size are ignored.
void apply_resource_limits(const ResourceLimits& bytes) noexcept;

/// Limits how much more memory this process may allocate (RLIMIT_DATA). Throws: OsError.
void limit_memory(std::size_t bytes);
/// Lifts the limit, to make room for a last report.
void lift_memory_limit() noexcept;

/// SIGXCPU kills this process once its threads have used so much more CPU time together. Throws:
/// OsError.
void limit_cpu_time(std::chrono::nanoseconds more);
void lift_cpu_time_limit() noexcept;

}  // namespace chorus::inline v0::detail::platform
