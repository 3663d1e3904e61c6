// The binaries that make up this process: where they lie and which build they are.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace chorus::platform {

struct Module {
    struct Range {
        std::uint64_t begin = 0;  ///< offsets from base
        std::uint64_t end = 0;
        bool executable = false;
    };

    std::string path;
    std::string build_id;  ///< hexadecimal, empty if linked without
    std::uintptr_t base = 0;
    std::vector<Range> ranges;

    bool holds_code(std::uint64_t offset) const noexcept;
    bool holds(const void* address) const noexcept;
};

std::optional<Module> module_of(const void* address);
std::optional<Module> module_with_build_id(const std::string& build_id);
std::optional<Module> module_at_path(const std::string& path);
/// The program itself; never unloaded, so it is looked at once.
const Module& main_module();

/// Whether the program has its libraries in itself. Then nothing can be loaded: a library would come with
/// a second C library of its own.
bool is_statically_linked() noexcept;

/// Loads a shared library that this process does not have yet.
bool load_module(const std::string& path);

}  // namespace chorus::platform
