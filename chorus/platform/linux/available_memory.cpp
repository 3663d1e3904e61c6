#include <chorus/platform/available_memory.hpp>

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

#include <chorus/platform/syscall.hpp>

namespace chorus::platform {
namespace {

// The number after a word, in a file of words and numbers.
std::optional<std::size_t> number_after(const char* path, const std::string& word) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with(word)) return std::stoull(line.substr(word.size()));
    }
    return std::nullopt;
}

std::optional<std::size_t> number_in(const char* path) {
    std::ifstream file(path);
    std::size_t number = 0;
    if (file >> number) return number;
    return std::nullopt;  // no such file, or "max"
}

std::size_t available_in_machine() {
    const auto memory = number_after("/proc/meminfo", "MemAvailable:");
    if (!memory) return std::numeric_limits<std::size_t>::max();
    return (*memory + number_after("/proc/meminfo", "SwapFree:").value_or(0)) * 1024;
}

std::size_t available_in_control_group() {
    const auto limit = number_in("/sys/fs/cgroup/memory.max");
    const auto used = number_in("/sys/fs/cgroup/memory.current");
    if (!limit || !used) return std::numeric_limits<std::size_t>::max();
    const char* const statistics = "/sys/fs/cgroup/memory.stat";
    const std::size_t files = number_after(statistics, "inactive_file ").value_or(0) +
                              number_after(statistics, "active_file ").value_or(0);
    const std::size_t needed = *used - std::min(files, *used);
    return *limit - std::min(needed, *limit);
}

}  // namespace

std::size_t available_memory() { return std::min(available_in_machine(), available_in_control_group()); }

void expect_available_memory(std::size_t bytes) {
    if (bytes > available_memory()) throw_no_memory(bytes);
}

void throw_no_memory(std::size_t bytes) {
    const OsError error = os_error("reserve " + std::to_string(bytes) + " bytes of memory", ENOMEM);
    throw OsError(
        error.what() + std::string("; ") + std::to_string(available_memory()) + " bytes are available",
        ENOMEM);
}

}  // namespace chorus::platform
