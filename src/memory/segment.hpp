// One piece of memory without a name that can be handed to other processes as a descriptor. It is
// freed with its last holder, however that one ends.
#pragma once

#include <cstddef>
#include <span>

#include <chorus/detail/message/bytes.hpp>
#include "platform/mapping.hpp"

namespace chorus::inline v0::detail::memory {

/// Mapped, reserved, zeroed.
class Segment {
public:
    static Segment create(const char* label, std::size_t size);
    /// Only the first part is reserved; the rest before it is used.
    static Segment create_sparse(const char* label, std::size_t size, std::size_t reserved);
    /// Maps what another process created. Throws: DecodeError if it is smaller than that.
    static Segment attach(platform::FileDescriptor file, std::size_t size);

    int descriptor() const noexcept { return file_.get(); }
    /// The memory stays; it can no longer be handed on.
    void close_file() noexcept { file_.reset(); }
    std::span<std::byte> bytes() const noexcept { return mapping_.bytes(); }
    /// Of whole pages: what this process is not to write to any more. The rest stays where it is.
    void unmap_beginning(std::size_t size) noexcept { mapping_.unmap_beginning(size); }

    template <class T>
    T& as() const noexcept {
        return *reinterpret_cast<T*>(mapping_.bytes().data());
    }

private:
    platform::FileDescriptor file_;
    platform::Mapping mapping_;
};

/// Appends to an anonymous file without mapping it: each byte is copied once and no page is faulted
/// in by the writer. The file is made when the first byte comes.
class SegmentSink final : public message::Sink {
public:
    explicit SegmentSink(const char* label) : label_(label) {}
    SegmentSink(int descriptor, std::size_t offset) : descriptor_(descriptor), offset_(offset) {}

    void write(std::span<const std::byte> bytes) override;
    int descriptor() const noexcept { return descriptor_; }
    std::size_t offset() const noexcept { return offset_; }

private:
    const char* label_ = nullptr;
    platform::FileDescriptor own_;
    int descriptor_ = -1;
    std::size_t offset_ = 0;
};

}  // namespace chorus::inline v0::detail::memory
