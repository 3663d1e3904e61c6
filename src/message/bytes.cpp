#include <chorus/detail/message/bytes.hpp>

#include "platform/mapping.hpp"

#include "platform/file_descriptor.hpp"

namespace chorus::inline v0::detail::message {

void prepare_to_fill(void* memory, std::size_t bytes) noexcept {
    constexpr std::size_t large = 4U << 20;
    if (bytes >= large) platform::prefer_large_pages(memory, bytes);
}

void Writer::keep_attachments() { kept_ = std::make_shared<Attachments>(); }

int Writer::keep(int descriptor) {
    platform::FileDescriptor ours = platform::duplicate(descriptor);
    kept_->add(ours.get());
    return ours.release();
}

void Attachments::close() noexcept {
    for (const int descriptor : descriptors_) platform::FileDescriptor owned(descriptor);
    descriptors_.clear();
}

}  // namespace chorus::inline v0::detail::message
