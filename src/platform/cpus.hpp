// How many CPUs there are.
#pragma once

namespace chorus::inline v0::detail::platform {

/// Those that this process may use: its affinity mask, and the CPU quota of its control groups.
int usable_cpus() noexcept;
/// Those of the machine that are online.
int all_cpus() noexcept;

}  // namespace chorus::inline v0::detail::platform
