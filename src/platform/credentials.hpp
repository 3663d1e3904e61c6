// Credentials: the rights of a process.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace chorus::inline v0::detail::platform {

/// What a process cannot hand on to an existing process: its users, groups and capabilities, its
/// process group and session, its root directory, and the rights that it has renounced.
struct Credentials {
    std::array<std::uint32_t, 6> users_and_groups{};  ///< real, effective, saved
    std::vector<std::uint32_t> further_groups;
    std::array<std::uint32_t, 6> capabilities{};
    std::array<int, 2> process_group_and_session{};
    std::array<std::uint64_t, 2> root_directory{};
    std::array<int, 2> renounced{};  ///< new privileges, system calls
    friend bool operator==(const Credentials&, const Credentials&) = default;
};
/// Those of this process.
Credentials credentials();

/// Whether this program has rights that its caller need not have (setuid, setgid, file capabilities):
/// then its environment and its open descriptors are untrusted input.
bool has_rights_of_another() noexcept;

}  // namespace chorus::inline v0::detail::platform
