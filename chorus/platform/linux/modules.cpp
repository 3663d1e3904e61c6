#include <chorus/platform/modules.hpp>

#include <algorithm>
#include <cstring>
#include <functional>
#include <span>

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <unistd.h>

namespace chorus::platform {
namespace {

std::string hexadecimal(std::span<const unsigned char> bytes) {
    constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (const unsigned char byte : bytes) {
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

std::size_t padded(std::size_t size) { return (size + 3) & ~std::size_t{3}; }

std::span<const unsigned char> build_id_in_notes(const unsigned char* notes, std::size_t size) {
    while (size >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) header;
        std::memcpy(&header, notes, sizeof header);
        const std::size_t whole = sizeof header + padded(header.n_namesz) + padded(header.n_descsz);
        if (whole > size) break;
        const unsigned char* name = notes + sizeof header;
        if (header.n_type == NT_GNU_BUILD_ID && header.n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0) {
            return {name + padded(header.n_namesz), header.n_descsz};
        }
        notes += whole;
        size -= whole;
    }
    return {};
}

const std::string& executable_path() {
    static const auto* const known = [] {
        char path[4096];
        const ssize_t size = ::readlink("/proc/self/exe", path, sizeof path);
        return new std::string(size > 0 ? std::string(path, static_cast<std::size_t>(size)) : "the program");
    }();
    return *known;
}

// The bytes themselves, where the module lies: comparing them is on the way of every start.
std::span<const unsigned char> build_id_of(const dl_phdr_info& info) {
    for (int i = 0; i < info.dlpi_phnum; ++i) {
        const ElfW(Phdr)& header = info.dlpi_phdr[i];
        if (header.p_type != PT_NOTE) continue;
        const auto id = build_id_in_notes(
            reinterpret_cast<const unsigned char*>(info.dlpi_addr + header.p_vaddr), header.p_memsz);
        if (!id.empty()) return id;
    }
    return {};
}

Module describe(const dl_phdr_info& info) {
    Module module;
    module.base = info.dlpi_addr;
    module.path = info.dlpi_name != nullptr && *info.dlpi_name != '\0' ? info.dlpi_name : executable_path();
    for (int i = 0; i < info.dlpi_phnum; ++i) {
        const ElfW(Phdr)& header = info.dlpi_phdr[i];
        if (header.p_type == PT_LOAD) {
            module.ranges.push_back(
                {header.p_vaddr, header.p_vaddr + header.p_memsz, (header.p_flags & PF_X) != 0});
        }
    }
    module.build_id = hexadecimal(build_id_of(info));
    return module;
}

bool covers(const dl_phdr_info& info, std::uintptr_t address) {
    for (int i = 0; i < info.dlpi_phnum; ++i) {
        const ElfW(Phdr)& header = info.dlpi_phdr[i];
        if (header.p_type == PT_LOAD && address - info.dlpi_addr - header.p_vaddr < header.p_memsz)
            return true;
    }
    return false;
}

using Wanted = std::function<bool(const dl_phdr_info&)>;

std::optional<Module> first_module(const Wanted& wanted) {
    struct Search {
        const Wanted& wanted;
        std::optional<Module> found;
    } search{wanted, {}};
    dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* context) {
            auto& here = *static_cast<Search*>(context);
            if (!here.wanted(*info)) return 0;
            here.found = describe(*info);
            return 1;
        },
        &search);
    return search.found;
}

}  // namespace

bool Module::holds_code(std::uint64_t offset) const noexcept {
    return std::any_of(ranges.begin(), ranges.end(), [&](const Range& range) {
        return range.executable && offset >= range.begin && offset < range.end;
    });
}

bool Module::holds(const void* address) const noexcept {
    const auto offset = reinterpret_cast<std::uintptr_t>(address) - base;
    return std::any_of(ranges.begin(), ranges.end(),
                       [&](const Range& range) { return offset >= range.begin && offset < range.end; });
}

std::optional<Module> module_of(const void* address) {
    return first_module(
        [=](const dl_phdr_info& info) { return covers(info, reinterpret_cast<std::uintptr_t>(address)); });
}

std::optional<Module> module_with_build_id(const std::string& build_id) {
    if (build_id.empty()) return std::nullopt;
    return first_module([&](const dl_phdr_info& info) { return hexadecimal(build_id_of(info)) == build_id; });
}

std::optional<Module> module_at_path(const std::string& path) {
    return first_module([&](const dl_phdr_info& info) { return describe(info).path == path; });
}

const Module& main_module() {
    static const auto* const program =
        new Module(*first_module([](const dl_phdr_info&) { return true; }));  // it comes first
    return *program;
}

bool is_statically_linked() noexcept {
    static const bool known = ::dl_iterate_phdr(
                                  [](dl_phdr_info* program, std::size_t, void*) {  // which comes first
                                      const std::span headers(program->dlpi_phdr, program->dlpi_phnum);
                                      const bool has_loader = std::any_of(
                                          headers.begin(), headers.end(),
                                          [](const auto& each) { return each.p_type == PT_INTERP; });
                                      return has_loader ? 1 : 2;
                                  },
                                  nullptr) == 2;
    return known;
}

bool load_module(const std::string& path) {
    return !is_statically_linked() && path.find('/') != std::string::npos && path != executable_path() &&
           ::dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL) != nullptr;
}

}  // namespace chorus::platform
