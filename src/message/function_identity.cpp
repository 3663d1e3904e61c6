#include <chorus/detail/message/function_identity.hpp>

#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "platform/fork_mutex.hpp"
#include "platform/modules.hpp"

namespace chorus::inline v0::detail::message {

namespace {

constexpr std::uint64_t libraries_follow = std::uint64_t{1} << 63;

// As it lies in a message, or is about to.
struct Parts {
    std::string_view build_id;
    std::string_view path;
    std::uint64_t offset = 0;
};

void write_parts(Writer& out, const Parts& parts) {
    out.write_text(parts.build_id);
    out.write_text(parts.path);
    out.write_raw(parts.offset);
}

Parts read_parts(Reader& in) {
    Parts parts;
    parts.build_id = in.view_text();
    parts.path = in.view_text();
    parts.offset = in.read_raw<std::uint64_t>();
    return parts;
}

FunctionIdentity read_rest(const Parts& parts, Reader& in) {
    FunctionIdentity identity{std::string(parts.build_id), std::string(parts.path),
                              parts.offset & ~libraries_follow};
    if ((parts.offset & libraries_follow) == 0) return identity;
    for (auto left = in.read_raw<std::uint32_t>(); left > 0; --left) {
        LoadedLibrary library;
        library.path = in.view_text();
        library.is_global = in.read_raw<std::uint8_t>() != 0;
        identity.libraries.push_back(std::move(library));
    }
    return identity;
}

// Without the C library, whose page a child would have to fetch for this.
bool are_equal(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (a[i] != b[i]) return false;
    }
    return true;
}

// What was found out of the modules that hold functions, as long as none comes or goes.
struct KnownModules {
    platform::ForkMutex mutex;
    std::uint64_t loads = 0;
    std::map<std::uintptr_t, FunctionIdentity> by_base;  ///< of what lies at offset 0
};
KnownModules& known_modules() {
    static auto* const instance = new KnownModules;
    return *instance;
}
// Created before main: a fork while another thread creates it would leave the child blocked indefinitely.
[[maybe_unused]] auto& known_modules_made = known_modules();

std::optional<FunctionIdentity> module_known_at(platform::ModulePlace place) {
    auto& known = known_modules();
    const std::lock_guard guard(known.mutex);
    const auto found = known.by_base.find(place.base);
    if (known.loads != place.loads || found == known.by_base.end()) return std::nullopt;
    return found->second;
}

void remember_module(platform::ModulePlace place, const FunctionIdentity& identity) {
    auto& known = known_modules();
    const std::lock_guard guard(known.mutex);
    if (std::exchange(known.loads, place.loads) != place.loads) known.by_base.clear();
    known.by_base[place.base] = identity;
}

// Without the lock: the loader has one of its own, with which it may run a constructor that comes by here.
FunctionIdentity look_at_module_of(const void* code) {
    const auto module = platform::module_of(code);
    if (!module)
        throw UsageError("a function that is in no loaded binary cannot be named to another process");
    if (module->build_id.empty()) {
        throw UsageError(module->path +
                         " has no build id, so its functions cannot be named safely to another process; "
                         "link it with -Wl,--build-id (Chorus's CMake target and pkg-config file do)");
    }
    FunctionIdentity identity{module->build_id, module->path, 0};
    for (auto& each : platform::libraries_up_to(module->base))
        identity.libraries.push_back({std::move(each.path), each.is_global});
    return identity;
}

}  // namespace

void FunctionIdentity::write(Writer& out) const {
    write_parts(out, {build_id, path, offset | (libraries.empty() ? 0 : libraries_follow)});
    if (libraries.empty()) return;
    out.write_raw(static_cast<std::uint32_t>(libraries.size()));
    for (const LoadedLibrary& library : libraries) {
        out.write_text(library.path);
        out.write_raw(static_cast<std::uint8_t>(library.is_global));
    }
}

FunctionIdentity FunctionIdentity::read(Reader& in) { return read_rest(read_parts(in), in); }

FunctionIdentity identify_function(const void* code) {
    if (code == nullptr) return {};
    const auto place = platform::place_of(code);
    if (!place) return look_at_module_of(code);  // which says so
    FunctionIdentity identity = module_known_at(*place).value_or(FunctionIdentity{});
    if (identity.build_id.empty()) {
        identity = look_at_module_of(code);
        remember_module(*place, identity);
    }
    identity.offset = reinterpret_cast<std::uintptr_t>(code) - place->base;
    return identity;
}

void* find_function(const FunctionIdentity& identity) {
    if (identity.build_id.empty() && identity.offset == 0) return nullptr;
    // One at the same path is meant before another copy of it. The program itself may be executed from
    // another path.
    auto module = platform::module_with_build_id(identity.build_id, identity.path);
    std::string failure;
    if (!module) {
        for (const LoadedLibrary& each : identity.libraries) {
            const auto why = platform::load_library({each.path, each.is_global});
            if (!why.empty()) failure += "; " + why;
        }
        module = platform::module_with_build_id(identity.build_id, identity.path);
    }
    if (!module) module = platform::module_with_build_id(identity.build_id);
    if (module && module->holds_code(identity.offset))
        return reinterpret_cast<void*>(module->base + identity.offset);
    if (module)
        throw DecodeError("offset " + std::to_string(identity.offset) + " lies outside the code of " +
                          module->path);
    const std::string where =
        "the function is in " + identity.path + " with build id " + identity.build_id + ", ";
    if (!failure.empty()) throw BinaryMismatch(where + "which cannot be loaded here" + failure);
    auto mine = platform::module_at_path(identity.path);
    if (!mine) mine = platform::main_module();
    throw BinaryMismatch(
        where + "but this process runs " + mine->path + " with build id " +
        (mine->build_id.empty() ? "(none)" : mine->build_id) +
        "; both sides must be started from the same build: was the binary replaced while the program ran?");
}

void write_function(Writer& out, const void* code) {
    const auto& program = platform::main_module();
    const auto offset = reinterpret_cast<std::uintptr_t>(code) - program.base;
    if (!program.build_id.empty() && program.holds_code(offset))
        return write_parts(out, {program.build_id, program.path, offset});
    identify_function(code).write(out);
}

[[gnu::hot]] void* read_function(Reader& in) {
    const auto& program = platform::main_module();
    const Parts parts = read_parts(in);
    if (!parts.build_id.empty() && are_equal(parts.build_id, program.build_id) &&
        program.holds_code(parts.offset)) {
        return reinterpret_cast<void*>(program.base + parts.offset);
    }
    return find_function(read_rest(parts, in));
}

}  // namespace chorus::inline v0::detail::message
