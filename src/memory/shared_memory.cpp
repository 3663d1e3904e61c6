#include <chorus/shared_memory.hpp>

#include "memory/named_block.hpp"

namespace chorus::inline v0::multiprocessing {
namespace {

// The bytes, and what keeps them mapped.
struct MappedBytes {
    explicit MappedBytes(detail::platform::Mapping taken)
        : mapping(std::move(taken)), bytes(mapping.bytes()) {}
    detail::platform::Mapping mapping;
    std::span<std::byte> bytes;
};

detail::memory::NamedBlock create_or_attach(const SharedMemoryOptions& options) {
    if (!options.create) return detail::memory::attach_named_block(options.name);
    if (options.size.bytes() == 0)
        throw UsageError("shared memory is created with a size above 0: say how many bytes, as .size = 4096");
    return detail::memory::create_named_block(options.name, options.size.bytes(), {});
}

}  // namespace

SharedMemory::SharedMemory(SharedMemoryOptions options) { hold(create_or_attach(options)); }

SharedMemory::SharedMemory(const std::string& name, std::size_t size,
                           const std::function<void(std::span<std::byte>)>& fill) {
    hold(detail::memory::create_named_block(name, size, fill));
}

void SharedMemory::hold(detail::memory::NamedBlock block) {
    name_ = std::move(block.name);
    size_ = block.mapping.bytes().size();
    const auto mapped = std::make_shared<MappedBytes>(std::move(block.mapping));
    mapping_ = {mapped, &mapped->bytes};
}

std::span<std::byte> SharedMemory::buf() const {
    if (!mapping_)
        throw UsageError("shared memory '" + name_ + "' is closed here: attach to it anew by its name");
    return *mapping_;
}

void SharedMemory::unlink() const { detail::memory::unlink_named_block(name_); }

std::ostream& operator<<(std::ostream& out, const SharedMemory& block) {
    return out << "SharedMemory('" << block.name() << "', size=" << block.size() << ')';
}

}  // namespace chorus::inline v0::multiprocessing
