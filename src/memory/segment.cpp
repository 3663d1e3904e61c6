#include "memory/segment.hpp"

namespace chorus::inline v0::detail::memory {

Segment Segment::create(const char* label, std::size_t size) { return create_sparse(label, size, size); }

Segment Segment::create_sparse(const char* label, std::size_t size, std::size_t reserved) {
    Segment segment;
    segment.file_ = platform::make_anonymous_file(label);
    platform::set_file_size(segment.file_.get(), size);
    platform::reserve(segment.file_.get(), reserved);
    segment.mapping_ = platform::Mapping(segment.file_.get(), size, platform::Mapping::Access::read_write);
    return segment;
}

Segment Segment::attach(platform::FileDescriptor file, std::size_t size) {
    const std::size_t real = platform::file_size(file.get());
    if (real < size) {
        throw DecodeError("shared memory holds " + std::to_string(real) + " bytes, " + std::to_string(size) +
                          " expected");
    }
    Segment segment;
    segment.mapping_ = platform::Mapping(file.get(), size, platform::Mapping::Access::read_write);
    segment.file_ = std::move(file);
    return segment;
}

void SegmentSink::write(std::span<const std::byte> bytes) {
    if (descriptor_ < 0) {
        own_ = platform::make_anonymous_file(label_);
        descriptor_ = own_.get();
    }
    platform::write_at(descriptor_, offset_, bytes);
    offset_ += bytes.size();
}

}  // namespace chorus::inline v0::detail::memory
