#include "platform/execution.hpp"

#include <atomic>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include <chorus/errors.hpp>
#include "platform/modules.hpp"

#include <gnu/libc-version.h>
#include <link.h>
#include <sys/auxv.h>

namespace chorus::inline v0::detail::platform {
namespace {

std::vector<std::string>& noted() {
    static auto* const arguments = new std::vector<std::string>;
    return *arguments;
}

// The arguments in the kernel's copy: the loader has removed its own from those that the program
// receives.
std::vector<std::string> command_line() {
    std::ifstream file("/proc/self/cmdline", std::ios::binary);
    std::vector<std::string> all;
    for (std::string each; std::getline(file, each, '\0');) all.push_back(each);
    return all;
}

// Directories separated by colons, as the loader takes them.
std::string absolute_directories(const std::string& list) {
    std::istringstream directories(list);
    std::string all;
    for (std::string each; std::getline(directories, each, ':');) {
        const bool is_relative = !each.starts_with('/') && !each.starts_with('$');
        std::error_code failed;
        const auto absolute = is_relative ? std::filesystem::absolute(each, failed).string() : each;
        all += (all.empty() ? "" : ":") + (failed ? each : absolute);
    }
    return all;
}

bool takes_name() {
    int major = 0;
    int minor = 0;
    return std::sscanf(::gnu_get_libc_version(), "%d.%d", &major, &minor) == 2 &&
           (major > 2 || (major == 2 && minor >= 33));
}

}  // namespace

bool is_run_by_loader() noexcept {
    // The kernel reports where it has mapped the loader, if it has mapped one beside a program.
    return ::getauxval(AT_BASE) == 0 && !is_statically_linked();
}

bool is_under_valgrind() noexcept {
    enum : int { unknown, yes, no };
    static constinit std::atomic<int> found{unknown};  // without a guard that a fork could leave locked
    int value = found.load(std::memory_order_relaxed);
    if (value == unknown) {
        // valgrind loads libraries of its own into each program.
        const auto is_its_own = [](dl_phdr_info* info, std::size_t, void*) {
            return std::strstr(info->dlpi_name, "/vgpreload_") != nullptr ? 1 : 0;
        };
        value = ::dl_iterate_phdr(is_its_own, nullptr) == 1 ? yes : no;
        found.store(value, std::memory_order_relaxed);
    }
    return value == yes;
}

std::string running_image() { return is_under_valgrind() ? main_module().path : "/proc/self/exe"; }

void note_execution(int argc, const char* name) {
    if (!is_run_by_loader()) return;
    auto all = command_line();
    const auto own = static_cast<std::size_t>(argc);
    if (all.size() <= own) return;
    all.resize(all.size() - own);  // its name and options; the program's file follows
    bool has_name = false;
    for (std::size_t i = 1; i < all.size(); ++i) {
        if (all[i] == "--library-path" && i + 1 < all.size()) all[i + 1] = absolute_directories(all[i + 1]);
        has_name = has_name || all[i] == "--argv0";
    }
    if (!has_name && takes_name()) all.insert(all.end(), {"--argv0", name});
    noted() = std::move(all);
}

std::vector<std::string> arguments_of_loader() {
    const std::string& file = main_module().path;
    if (noted().empty() || !std::filesystem::exists(file)) {
        throw UsageError("this program was started through the dynamic loader, and its own file (" + file +
                         ") cannot be found: a child cannot be started from it. Name it by "
                         "mp::set_executable(), or choose "
                         "set_start_method(\"fork\")");
    }
    auto all = noted();
    all.push_back(file);
    return all;
}

}  // namespace chorus::inline v0::detail::platform
