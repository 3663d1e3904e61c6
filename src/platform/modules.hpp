// Modules: the binaries loaded into this process, their addresses and their builds.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace chorus::inline v0::detail::platform {

struct Module {
    struct Range {
        std::uint64_t begin = 0;  ///< offsets from base
        std::uint64_t end = 0;
        bool executable = false;
    };

    std::string path;      ///< absolute, independent of the directory at its loading and now
    std::string build_id;  ///< hexadecimal, empty if linked without
    std::uintptr_t base = 0;
    std::vector<Range> ranges;

    bool holds_code(std::uint64_t offset) const noexcept;
    bool holds(const void* address) const noexcept;
};

std::optional<Module> module_of(const void* address);
/// Quicker than that, and enough to find out whether an earlier result for a module is still valid.
struct ModulePlace {
    std::uintptr_t base = 0;  ///< of the module
    std::uint64_t loads = 0;  ///< changes whenever a module is loaded or unloaded
};
std::optional<ModulePlace> place_of(const void* address);
std::optional<Module> module_with_build_id(const std::string& build_id);
/// One of several that are the same build: a plug-in may be loaded twice, from two files.
std::optional<Module> module_with_build_id(const std::string& build_id, const std::string& path);
std::optional<Module> module_at_path(const std::string& path);
/// The program itself; never unloaded, so it is examined once.
const Module& main_module();

/// A mapped part of a file. Identifies an address also in another process and later.
struct MappedCode {
    std::uint64_t begin = 0;  ///< addresses in that process
    std::uint64_t end = 0;
    std::uint64_t offset = 0;  ///< of `begin`, in the file
    std::string path;          ///< as Module::path; with " (deleted)" if the file had been
    std::string build_id;      ///< as Module::build_id; empty if it is not known

    bool holds(std::uintptr_t address) const noexcept { return address >= begin && address < end; }
};
/// The parts that hold these addresses in this process; none for addresses in no file. Results are
/// cached until a module is loaded or unloaded.
std::vector<MappedCode> code_at(std::span<const std::uintptr_t> addresses);
/// The same in the process whose map (the text of /proc/PID/maps) this is. Requires: a child of this
/// program.
std::vector<MappedCode> code_in_map(std::string_view map, std::span<const std::uintptr_t> addresses);
/// The path without the " (deleted)" behind it.
std::string without_deleted(std::string_view path);
/// The build id in an ELF file's notes, in hexadecimal; empty if there is none.
std::string build_id_in(std::span<const unsigned char> notes);

/// Whether the program is linked statically. Then nothing can be loaded: a library would bring a second
/// C library of its own.
bool is_statically_linked() noexcept;

/// A shared library that was loaded while the program runs, and how.
struct LoadedLibrary {
    std::string path;
    bool is_global = false;  ///< its names are seen by libraries that are loaded later (RTLD_GLOBAL)
};

/// Stores which modules are loaded when the program begins: a child of the same program has them too.
void note_modules_of_the_beginning() noexcept;
/// What has to be loaded, in this order, for the module with this base in a process that lacks it: of
/// the libraries that were loaded since the beginning and before it those whose names all others see,
/// and the module itself. Nothing for a module of the beginning.
std::vector<LoadedLibrary> libraries_up_to(std::uintptr_t base);
/// Loads it as it was loaded there. Returns why it cannot be loaded, or "".
std::string load_library(const LoadedLibrary& library);

}  // namespace chorus::inline v0::detail::platform
