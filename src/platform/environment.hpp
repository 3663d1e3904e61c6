// The environment of this process, as texts NAME=VALUE.
#pragma once

#include <string>
#include <vector>

namespace chorus::inline v0::detail::platform {

std::vector<std::string> current_environment();
bool environment_is(const std::vector<std::string>& texts) noexcept;
/// Removes the first entry if it equals this one.
void remove_first_environment_entry(const char* entry) noexcept;
void replace_environment(const std::vector<std::string>& environment);

}  // namespace chorus::inline v0::detail::platform
