#include "platform/available_memory.hpp"

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

#include "platform/linux/control_group.hpp"
#include "platform/syscall.hpp"

namespace chorus::inline v0::detail::platform {
namespace {

constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

// The number after a word, in a file of words and numbers.
std::optional<std::size_t> number_after(const std::string& path, const std::string& word) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with(word)) return std::stoull(line.substr(word.size()));
    }
    return std::nullopt;
}

std::optional<std::size_t> number_in(const std::string& path) {
    std::ifstream file(path);
    std::size_t number = 0;
    if (file >> number) return number;
    return std::nullopt;  // no such file, or "max"
}

std::size_t available_in_machine() {
    const auto memory = number_after("/proc/meminfo", "MemAvailable:");
    if (!memory) return unlimited;
    return (*memory + number_after("/proc/meminfo", "SwapFree:").value_or(0)) * 1024;
}

// The page cache counts as used in a control group. The kernel drops it under memory pressure.
std::size_t available_in(const ControlGroup& group) {
    const bool is_first = group.version == 1;
    const auto limit = number_in(group.directory + (is_first ? "/memory.limit_in_bytes" : "/memory.max"));
    const auto used = number_in(group.directory + (is_first ? "/memory.usage_in_bytes" : "/memory.current"));
    if (!limit || !used) return unlimited;
    const std::string statistics = group.directory + "/memory.stat";
    const std::string total = is_first ? "total_" : "";
    const std::size_t files = number_after(statistics, total + "inactive_file ").value_or(0) +
                              number_after(statistics, total + "active_file ").value_or(0);
    const std::size_t needed = *used - std::min(files, *used);
    return *limit - std::min(needed, *limit);
}

struct Available {
    std::size_t bytes = unlimited;
    std::string limited_by{};  ///< "" for the machine itself
};

Available available() {
    Available least{available_in_machine()};
    for (const ControlGroup& group : control_groups("memory")) {
        const std::size_t bytes = available_in(group);
        if (bytes < least.bytes) least = {bytes, group.directory};
    }
    return least;
}

}  // namespace

std::size_t available_memory() { return available().bytes; }

void expect_available_memory(std::size_t bytes) {
    if (bytes > available_memory()) throw_no_memory(bytes);
}

void throw_no_memory(std::size_t bytes) {
    const OsError error = os_error("reserve " + std::to_string(bytes) + " bytes of memory", ENOMEM);
    const auto [most, group] = available();
    const std::string where =
        group.empty() ? "" : ", all that the control group " + group + " allows: raise its limit";
    throw OsError(error.what() + std::string("; ") + std::to_string(most) + " bytes are available" + where,
                  ENOMEM);
}

}  // namespace chorus::inline v0::detail::platform
