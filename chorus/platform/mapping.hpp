// Memory that has a descriptor and no name: it can be handed to another process, and is gone with
// the last who holds it.
#pragma once

#include <cstddef>
#include <span>

#include <chorus/platform/file_descriptor.hpp>

namespace chorus::platform {

FileDescriptor make_anonymous_file(const char* label);

/// Sets the size and reserves the memory, so that running out is an error here and not a SIGBUS later.
void reserve(int descriptor, std::size_t size);
/// The same for a part of a file whose size is set already.
void reserve(int descriptor, std::size_t offset, std::size_t size);
void set_file_size(int descriptor, std::size_t size);
std::size_t file_size(int descriptor);

/// Throws: OsError when there is no memory left for it.
void write_at(int descriptor, std::size_t offset, std::span<const std::byte> bytes);

/// Pages of a file in this process's memory, shared with all who map it.
class Mapping {
public:
    enum class Access { read, read_write };

    Mapping() noexcept = default;
    Mapping(int descriptor, std::size_t size, Access access) : Mapping(descriptor, 0, size, access) {}
    /// A part; the offset is a multiple of the page size.
    Mapping(int descriptor, std::size_t offset, std::size_t size, Access access);
    Mapping(Mapping&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
    Mapping& operator=(Mapping&& other) noexcept {
        std::swap(bytes_, other.bytes_);
        return *this;
    }
    ~Mapping();

    std::span<std::byte> bytes() const noexcept { return bytes_; }

private:
    std::span<std::byte> bytes_;
};

}  // namespace chorus::platform
