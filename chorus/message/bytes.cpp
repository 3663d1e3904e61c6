#include <chorus/message/bytes.hpp>

#include <chorus/platform/file_descriptor.hpp>

namespace chorus::message {

void Attachments::close() noexcept {
    for (const int descriptor : descriptors_) platform::FileDescriptor owned(descriptor);
    descriptors_.clear();
}

}  // namespace chorus::message
