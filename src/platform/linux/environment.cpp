#include "platform/environment.hpp"

#include <cstdlib>
#include <cstring>

#include <unistd.h>

namespace chorus::inline v0::detail::platform {

std::vector<std::string> current_environment() {
    std::vector<std::string> texts;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) texts.emplace_back(*entry);
    return texts;
}

bool environment_is(const std::vector<std::string>& texts) noexcept {
    std::size_t i = 0;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry, ++i) {
        if (i == texts.size() || texts[i] != *entry) return false;
    }
    return i == texts.size();
}

void remove_first_environment_entry(const char* entry) noexcept {
    if (environ == nullptr || *environ == nullptr || std::strcmp(*environ, entry) != 0) return;
    for (char** next = environ; *next != nullptr; ++next) *next = *(next + 1);
}

void replace_environment(const std::vector<std::string>& environment) {
    ::clearenv();
    for (const std::string& entry : environment) {
        const auto equals = entry.find('=');
        if (equals != std::string::npos)
            ::setenv(entry.substr(0, equals).c_str(), entry.c_str() + equals + 1, 1);
    }
}

}  // namespace chorus::inline v0::detail::platform
