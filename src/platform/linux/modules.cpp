#include "platform/modules.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <mutex>
#include <span>
#include <string_view>
#include <utility>

#include "platform/execution.hpp"
#include "platform/fork_mutex.hpp"
#include "platform/os_thread.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <unistd.h>

namespace chorus::inline v0::detail::platform {
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

// The file that is mapped at this address, as the kernel names it: absolute, with " (deleted)" behind a
// deleted one.
std::string path_of_mapping(std::uintptr_t address) {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        unsigned long begin = 0;
        unsigned long end = 0;
        if (std::sscanf(line.c_str(), "%lx-%lx", &begin, &end) != 2 || address < begin || address >= end)
            continue;
        const auto path = line.find('/');
        return path == std::string::npos ? "" : line.substr(path);
    }
    return "";
}

// The loader keeps the name by which a library was requested. It may be relative to an earlier working
// directory, or name a descriptor.
std::string path_of(const dl_phdr_info& info) {
    const std::string_view name = info.dlpi_name != nullptr ? info.dlpi_name : "";
    if (name.empty() && !is_run_by_loader()) return executable_path();
    if (name.starts_with('/') && !name.starts_with("/proc/")) return std::string(name);
    const std::span headers(info.dlpi_phdr, info.dlpi_phnum);
    const auto loaded = std::ranges::find(headers, ElfW(Word){PT_LOAD}, &ElfW(Phdr)::p_type);
    const auto path = loaded == headers.end() ? "" : path_of_mapping(info.dlpi_addr + loaded->p_vaddr);
    return path.empty() ? std::string(name) : path;
}

// The bytes of the build id in the module's memory, without a copy: every start compares them.
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
    module.path = path_of(info);
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

std::optional<ModulePlace> place_of(const void* address) {
    struct Search {
        std::uintptr_t address;
        std::optional<ModulePlace> found;
    } search{reinterpret_cast<std::uintptr_t>(address), {}};
    dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* context) {
            auto& here = *static_cast<Search*>(context);
            if (!covers(*info, here.address)) return 0;
            here.found = {info->dlpi_addr, info->dlpi_adds + info->dlpi_subs};
            return 1;
        },
        &search);
    return search.found;
}

std::optional<Module> module_with_build_id(const std::string& build_id) {
    if (build_id.empty()) return std::nullopt;
    return first_module([&](const dl_phdr_info& info) { return hexadecimal(build_id_of(info)) == build_id; });
}

std::optional<Module> module_with_build_id(const std::string& build_id, const std::string& path) {
    if (build_id.empty()) return std::nullopt;
    return first_module([&](const dl_phdr_info& info) {
        return hexadecimal(build_id_of(info)) == build_id && path_of(info) == path;
    });
}

std::optional<Module> module_at_path(const std::string& path) {
    return first_module([&](const dl_phdr_info& info) { return path_of(info) == path; });
}

const Module& main_module() {
    static const auto* const program =
        new Module(*first_module([](const dl_phdr_info&) { return true; }));  // it comes first
    return *program;
}

namespace {

constexpr std::string_view mark_of_deleted = " (deleted)";

// Results for this process, valid as long as no module is loaded or unloaded.
class KnownCode {
public:
    std::vector<MappedCode> at(std::span<const std::uintptr_t> addresses) {
        const NotHalted whole;
        const std::lock_guard guard(mutex_);
        forget_if_changed();
        std::vector<std::size_t> wanted;
        for (const std::uintptr_t address : addresses) {
            const auto found = find(address);
            if (found && std::find(wanted.begin(), wanted.end(), *found) == wanted.end())
                wanted.push_back(*found);
        }
        std::vector<MappedCode> code;
        for (const std::size_t each : wanted) code.push_back(known_[each]);
        return code;
    }

private:
    void forget_if_changed() {
        std::uint64_t changes = 0;
        dl_iterate_phdr(
            [](dl_phdr_info* info, std::size_t, void* context) {
                *static_cast<std::uint64_t*>(context) = info->dlpi_adds + info->dlpi_subs;
                return 1;
            },
            &changes);
        if (changes == changes_) return;
        known_.clear();
        changes_ = changes;
    }

    std::optional<std::size_t> find(std::uintptr_t address) {
        for (std::size_t i = 0; i < known_.size(); ++i) {
            if (known_[i].holds(address)) return i;
        }
        struct Search {
            std::uintptr_t address;
            std::optional<MappedCode> found;
        } search{address, {}};
        dl_iterate_phdr(
            [](dl_phdr_info* info, std::size_t, void* context) {
                auto& here = *static_cast<Search*>(context);
                here.found = describe(*info, here.address);
                return here.found ? 1 : 0;
            },
            &search);
        if (!search.found) return std::nullopt;
        known_.push_back(std::move(*search.found));
        return known_.size() - 1;
    }

    static std::optional<MappedCode> describe(const dl_phdr_info& info, std::uintptr_t address) {
        for (const ElfW(Phdr) & header : std::span(info.dlpi_phdr, info.dlpi_phnum)) {
            const std::uintptr_t begin = info.dlpi_addr + header.p_vaddr;
            if (header.p_type == PT_LOAD && address - begin < header.p_memsz)
                return MappedCode{begin, begin + header.p_memsz, header.p_offset, path_of(info),
                                  hexadecimal(build_id_of(info))};
        }
        return std::nullopt;
    }

    ForkMutex mutex_;
    std::uint64_t changes_ = 0;
    std::vector<MappedCode> known_;
};
KnownCode& known_code() {
    static auto* const instance = new KnownCode;
    return *instance;
}
// Created before main: a fork while another thread creates it would leave the child blocked
// indefinitely.
[[maybe_unused]] auto& known_code_made = known_code();

// "begin-end rights offset device inode   path"; numbers are hexadecimal.
std::optional<MappedCode> code_in_line(std::string_view line) {
    const auto path = line.find('/');
    if (path == std::string_view::npos) return std::nullopt;
    MappedCode code;
    const char* at = line.data();
    const char* const end = line.data() + path;
    const auto take = [&](std::uint64_t& number) {
        const auto taken = std::from_chars(at, end, number, 16);
        at = taken.ptr + (taken.ptr != end ? 1 : 0);
        return taken.ec == std::errc();
    };
    if (!take(code.begin) || !take(code.end)) return std::nullopt;
    while (at != end && *at != ' ') ++at;  // the rights
    if (at != end) ++at;
    if (at == end || !take(code.offset)) return std::nullopt;
    code.path = line.substr(path);
    return code;
}

}  // namespace

std::vector<MappedCode> code_at(std::span<const std::uintptr_t> addresses) {
    return known_code().at(addresses);
}

std::vector<MappedCode> code_in_map(std::string_view map, std::span<const std::uintptr_t> addresses) {
    std::vector<MappedCode> found;
    while (!map.empty()) {
        const std::string_view line = map.substr(0, map.find('\n'));
        map.remove_prefix(std::min(line.size() + 1, map.size()));
        auto code = code_in_line(line);
        if (!code || std::ranges::none_of(addresses, [&](auto each) { return code->holds(each); })) continue;
        // A child runs the same file as its parent, whatever file has that path now.
        if (without_deleted(code->path) == without_deleted(main_module().path))
            code->build_id = main_module().build_id;
        found.push_back(std::move(*code));
    }
    return found;
}

std::string without_deleted(std::string_view path) {
    if (path.ends_with(mark_of_deleted)) path.remove_suffix(mark_of_deleted.size());
    return std::string(path);
}

std::string build_id_in(std::span<const unsigned char> notes) {
    return hexadecimal(build_id_in_notes(notes.data(), notes.size()));
}

bool is_statically_linked() noexcept {
    const auto look_at_program = [](dl_phdr_info* program, std::size_t, void*) {  // which comes first
        const std::span headers(program->dlpi_phdr, program->dlpi_phnum);
        const bool has_loader = std::any_of(headers.begin(), headers.end(),
                                            [](const auto& each) { return each.p_type == PT_INTERP; });
        return has_loader ? 1 : 2;
    };
    return ::dl_iterate_phdr(look_at_program, nullptr) == 2;
}

namespace {

constinit std::size_t modules_of_the_beginning = 0;

// The names in the dynamic section of a module.
class NamesOfModule {
public:
    explicit NamesOfModule(const dl_phdr_info& info) : base_(info.dlpi_addr) {
        for (const ElfW(Phdr) & header : std::span(info.dlpi_phdr, info.dlpi_phnum)) {
            if (header.p_type != PT_DYNAMIC) continue;
            const auto* entry = reinterpret_cast<const ElfW(Dyn)*>(base_ + header.p_vaddr);
            for (; entry->d_tag != DT_NULL; ++entry) {
                if (entry->d_tag == DT_SYMTAB) symbols_ = at<const ElfW(Sym)>(entry->d_un.d_ptr);
                if (entry->d_tag == DT_STRTAB) texts_ = at<const char>(entry->d_un.d_ptr);
                if (entry->d_tag == DT_GNU_HASH) hash_ = at<const std::uint32_t>(entry->d_un.d_ptr);
            }
        }
    }

    // Whether a look-up without a library (RTLD_DEFAULT) finds the names of this one. No call reports
    // how a library was loaded. Another library may have the same names and come first, so some are
    // tried.
    bool are_seen_by_all() const {
        if (symbols_ == nullptr || texts_ == nullptr || hash_ == nullptr) return false;
        // Layout: number of buckets, first symbol in them, size of the filter, its shift; the filter in
        // words of an address; the buckets; one word for each symbol, whose lowest bit ends a bucket.
        const std::uint32_t* const buckets = hash_ + 4 + hash_[2] * sizeof(ElfW(Addr)) / sizeof *hash_;
        const std::uint32_t* const chains = buckets + hash_[0];
        int tries = 64;
        for (std::uint32_t bucket = 0; bucket < hash_[0]; ++bucket) {
            std::uint32_t symbol = buckets[bucket];
            if (symbol < hash_[1]) continue;  // empty
            for (;; ++symbol) {
                if (is_shown(symbols_[symbol])) {
                    const char* const name = texts_ + symbols_[symbol].st_name;
                    if (::dlsym(RTLD_DEFAULT, name) ==
                        reinterpret_cast<void*>(base_ + symbols_[symbol].st_value))
                        return true;
                    if (--tries == 0) return false;
                }
                if ((chains[symbol - hash_[1]] & 1) != 0) break;
            }
        }
        return false;
    }

private:
    // The loader has made addresses of these, on most architectures.
    template <class T>
    T* at(ElfW(Addr) value) const noexcept {
        return reinterpret_cast<T*>(value < base_ ? value + base_ : value);
    }
    // Both sizes of ELF keep binding and type alike. A weak symbol is mostly a template's, which other
    // libraries have too.
    static bool is_shown(const ElfW(Sym) & symbol) noexcept {
        const auto type = ELF64_ST_TYPE(symbol.st_info);
        return symbol.st_shndx != SHN_UNDEF && ELF64_ST_BIND(symbol.st_info) == STB_GLOBAL &&
               (type == STT_FUNC || type == STT_OBJECT);
    }

    ElfW(Addr) base_;
    const ElfW(Sym) * symbols_ = nullptr;
    const char* texts_ = nullptr;
    const std::uint32_t* hash_ = nullptr;
};

}  // namespace

void note_modules_of_the_beginning() noexcept {
    modules_of_the_beginning = 0;
    ::dl_iterate_phdr(
        [](dl_phdr_info*, std::size_t, void*) {
            ++modules_of_the_beginning;
            return 0;
        },
        nullptr);
}

std::vector<LoadedLibrary> libraries_up_to(std::uintptr_t base) {
    struct Seen {
        LoadedLibrary library;
        std::string name;  ///< by which the loader knows it
        NamesOfModule names;
    };
    struct Search {
        std::uintptr_t base;
        std::size_t count = 0;
        bool is_found = false;
        std::vector<Seen> since;
    } search{base, 0, false, {}};
    dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* context) {
            auto& here = *static_cast<Search*>(context);
            if (++here.count > std::max<std::size_t>(modules_of_the_beginning, 1))
                here.since.push_back({{path_of(*info), false}, info->dlpi_name, NamesOfModule(*info)});
            here.is_found = info->dlpi_addr == here.base;
            return here.is_found ? 1 : 0;
        },
        &search);
    std::vector<LoadedLibrary> libraries;
    if (!search.is_found) return libraries;
    for (Seen& each : search.since) {
        // Kept loaded while it is examined: another thread may be about to unload it.
        void* const handle = ::dlopen(each.name.c_str(), RTLD_LAZY | RTLD_NOLOAD);
        if (handle == nullptr) continue;
        each.library.is_global = each.names.are_seen_by_all();
        ::dlclose(handle);
        if (each.library.is_global || &each == &search.since.back()) libraries.push_back(each.library);
    }
    return libraries;
}

std::string load_library(const LoadedLibrary& library) {
    if (is_statically_linked()) return "a statically linked program loads no libraries";
    if (!library.path.starts_with('/'))
        return library.path + ": not a path";  // it might be any file of that name
    const int names = library.is_global ? RTLD_GLOBAL : RTLD_LOCAL;
    if (::dlopen(library.path.c_str(), RTLD_NOW | names) != nullptr) return "";
    const char* const why = ::dlerror();
    return why != nullptr ? why : library.path + ": cannot be loaded";
}

}  // namespace chorus::inline v0::detail::platform
