#include "memory/named_block.hpp"

#include "platform/random_bytes.hpp"

namespace chorus::inline v0::detail::memory {
namespace {

void check_name(const std::string& name) {
    const std::string text = "a name of shared memory";
    if (name.find('\0') != std::string::npos)
        throw UsageError(text + " has no NUL in it: got one behind '" + name.c_str() + "'");
    if (name.size() > platform::longest_memory_name) {
        throw UsageError(text + " has at most " + std::to_string(platform::longest_memory_name) +
                         " bytes: got " + std::to_string(name.size()));
    }
    if (name.find('/') != std::string::npos) {
        throw UsageError(text + " has no '/' in it, nor the one that POSIX puts in front: got '" + name +
                         "'");
    }
    if (name == "." || name == "..") throw UsageError(text + " is none of a folder: got '" + name + "'");
}

// More than enough: a thousand blocks would have to have just the names proposed, out of four billion.
constexpr int most_proposals = 1000;

std::string give_free_name(int descriptor, const std::function<std::string()>& propose) {
    for (int tries = 1;; ++tries) {
        std::string name = propose();
        try {
            platform::give_memory_name(descriptor, name);
            return name;
        } catch (const FileExists&) {
            if (tries == most_proposals) throw;
        }
    }
}

}  // namespace

std::string random_block_name() {
    constexpr char digits[] = "0123456789abcdef";
    const auto bytes = platform::random_bytes();
    std::string name = "psm_";
    for (std::size_t i = 0; i < 4; ++i) {
        const auto byte = std::to_integer<unsigned>(bytes[i]);
        name += digits[byte >> 4];
        name += digits[byte & 15];
    }
    return name;
}

NamedBlock create_named_block(const std::string& name, std::size_t size, const Fill& fill,
                              const std::function<std::string()>& propose) {
    check_name(name);
    const auto file = platform::make_nameable_file();
    // Told before much memory is reserved; a process that takes the name from now on is noticed at the
    // end.
    if (!name.empty()) platform::require_free_memory_name(name);
    platform::reserve(file.get(), size);
    NamedBlock block{name, platform::Mapping(file.get(), size, platform::Mapping::Access::read_write)};
    if (fill) fill(block.mapping.bytes());
    if (name.empty()) {
        block.name = give_free_name(file.get(), propose);
    } else {
        platform::give_memory_name(file.get(), name);
    }
    return block;
}

NamedBlock attach_named_block(const std::string& name) {
    check_name(name);
    if (name.empty())
        throw UsageError(
            "shared memory without a name can only be created: give the .name to attach to, or say .create = "
            "true");
    const auto file = platform::open_named_memory(name);
    const std::size_t size = platform::file_size(file.get());
    if (size == 0) {
        throw DecodeError("shared memory '" + name +
                          "' is empty: it was truncated, or another program is just making it; ask its "
                          "maker, or try again");
    }
    return {name, platform::Mapping(file.get(), size, platform::Mapping::Access::read_write)};
}

void unlink_named_block(const std::string& name) { platform::remove_memory_name(name); }

}  // namespace chorus::inline v0::detail::memory
