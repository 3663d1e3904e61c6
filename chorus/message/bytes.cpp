#include <chorus/message/bytes.hpp>

#include <chorus/platform/mapping.hpp>

#include <chorus/platform/file_descriptor.hpp>

namespace chorus::message {

void prepare_to_fill(void* memory, std::size_t bytes) noexcept {
    constexpr std::size_t large = 4U << 20;
    if (bytes >= large) platform::prefer_large_pages(memory, bytes);
}

void Attachments::close() noexcept {
    for (const int descriptor : descriptors_) platform::FileDescriptor owned(descriptor);
    descriptors_.clear();
}

}  // namespace chorus::message
