#include <chorus/message/function_identity.hpp>

#include <chorus/platform/modules.hpp>

namespace chorus::message {

namespace {

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

FunctionIdentity own(const Parts& parts) {
    return {std::string(parts.build_id), std::string(parts.path), parts.offset};
}

// Without the C library, whose page a child would have to fetch for this.
bool are_equal(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (a[i] != b[i]) return false;
    }
    return true;
}

}  // namespace

void FunctionIdentity::write(Writer& out) const { write_parts(out, {build_id, path, offset}); }

FunctionIdentity FunctionIdentity::read(Reader& in) { return own(read_parts(in)); }

FunctionIdentity identify_function(const void* code) {
    if (code == nullptr) return {};
    const auto module = platform::module_of(code);
    if (!module)
        throw UsageError("a function that is in no loaded binary cannot be named to another process");
    if (module->build_id.empty()) {
        throw UsageError(module->path +
                         " has no build id, so its functions cannot be named safely to another process; "
                         "link it with -Wl,--build-id (Chorus's CMake target and pkg-config file do)");
    }
    return {module->build_id, module->path, reinterpret_cast<std::uintptr_t>(code) - module->base};
}

void* find_function(const FunctionIdentity& identity) {
    if (identity.build_id.empty() && identity.offset == 0) return nullptr;
    auto module = platform::module_with_build_id(identity.build_id);
    if (!module && platform::load_module(identity.path))
        module = platform::module_with_build_id(identity.build_id);
    if (module && module->holds_code(identity.offset))
        return reinterpret_cast<void*>(module->base + identity.offset);
    if (module)
        throw DecodeError("offset " + std::to_string(identity.offset) + " lies outside the code of " +
                          module->path);
    auto mine = platform::module_at_path(identity.path);
    if (!mine) mine = platform::main_module();
    throw BinaryMismatch(
        "the function is in " + identity.path + " with build id " + identity.build_id +
        ", but this process runs " + mine->path + " with build id " +
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
    return find_function(own(parts));
}

}  // namespace chorus::message
