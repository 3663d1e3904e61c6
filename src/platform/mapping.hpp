// Shared memory. Anonymous memory has a descriptor, which can be passed to another process; it is freed
// with the last descriptor and mapping. Named memory can be opened by any process of the same user,
// until the name is removed.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "platform/file_descriptor.hpp"

namespace chorus::inline v0::detail::platform {

/// The file can grow and never shrink, so that no mapped part disappears.
FileDescriptor make_anonymous_file(const char* label);

/// A file that give_memory_name() can name, where POSIX keeps named shared memory (shm_open). Until
/// then no other process can open it, and it is deleted with its descriptor.
FileDescriptor make_nameable_file();
/// The longest name that shm_open takes, in bytes.
inline constexpr std::size_t longest_memory_name = 255;
// Requires of each name: not empty, no '/', no NUL, not too long, not "." or "..".
/// Throws: FileExists.
void require_free_memory_name(const std::string& name);
/// Throws: FileExists.
void give_memory_name(int descriptor, const std::string& name);
/// Throws: FileNotFound; OsError if it may not be read and written, or is no shared memory.
FileDescriptor open_named_memory(const std::string& name);
/// Existing mappings keep the memory. Throws: FileNotFound.
void remove_memory_name(const std::string& name);

/// Sets the size and reserves the memory, so that running out is an error here and not a SIGBUS later.
/// Throws: OsError with the requested size, and the available size if that is known.
void reserve(int descriptor, std::size_t size);
/// The same for a part of a file whose size is set already.
void reserve(int descriptor, std::size_t offset, std::size_t size);
void set_file_size(int descriptor, std::size_t size);
std::size_t file_size(int descriptor);

/// Throws: OsError when there is no memory left for it.
void write_at(int descriptor, std::size_t offset, std::span<const std::byte> bytes);

/// Mutual exclusion between processes, by the kernel's lock on a byte of the file (F_SETLKW), which no
/// process can overwrite. The kernel releases the lock with its process, not with its thread: threads
/// of one process need another lock. Requires: the process does not hold it already.
void lock_byte(int descriptor, std::size_t offset) noexcept;
void unlock_byte(int descriptor, std::size_t offset) noexcept;

/// A hint for memory of this process alone.
void prefer_large_pages(void* memory, std::size_t bytes) noexcept;

/// Pages of a file in this process's memory, shared with all processes that map it.
class Mapping {
public:
    enum class Access { read, read_write };

    Mapping() noexcept = default;
    Mapping(int descriptor, std::size_t size, Access access) : Mapping(descriptor, 0, size, access) {}
    /// A part; the offset is a multiple of the page size.
    Mapping(int descriptor, std::size_t offset, std::size_t size, Access access);
    /// A part of one that was made to be read. The offset and the size are multiples of the page size.
    void make_writable(std::size_t offset, std::size_t size);
    /// Unmaps the beginning; bytes() is the rest. Requires: a multiple of the page size.
    void unmap_beginning(std::size_t size) noexcept;
    /// Maps all pages at once, which is several times quicker than one fault for each. Requires:
    /// reserved.
    void look_up_all() noexcept;
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

}  // namespace chorus::inline v0::detail::platform
