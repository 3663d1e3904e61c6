#include "worker/child_request.hpp"

#include "platform/environment.hpp"
#include "platform/surroundings.hpp"

namespace chorus::inline v0::detail::worker {

EncodedRequest::EncodedRequest(const ChildRequest& request, const message::Call& call) {
    message::encode(payload_, request);
    call.encode(payload_);
    if (payload_.has_spilled()) payload_.flush();
}

std::vector<int> EncodedRequest::attachments() const {
    std::vector<int> descriptors;
    for (const auto& attached : payload_.attachments()) descriptors.push_back(attached.descriptor);
    return descriptors;
}

void EncodedRequest::move_to_file() {
    if (!payload_.has_spilled()) payload_.flush();
}

std::vector<std::byte> EncodedRequest::message(RequestHeader header) {
    message::Writer out;
    header.in_file = in_file();
    header.attachments = static_cast<std::uint32_t>(payload_.attachments().size());
    out.write_raw(header);
    const auto inline_part = payload_.buffered();
    out.write(inline_part.data(), inline_part.size());
    return out.take();
}

ChildSetup::ChildSetup(std::span<const std::byte> message, std::vector<platform::FileDescriptor> descriptors)
    : descriptors_(std::move(descriptors)) {
    message::Reader payload(message);
    const auto header = payload.read_raw<RequestHeader>();
    header_ = header;
    std::size_t expected = header.has_directory ? 1 : 0;
    for (const bool open : header.streams) expected += open ? 1 : 0;
    expected += (header.has_report ? 1U : 0U) + (header.in_file ? 1U : 0U) + header.attachments;
    if (expected != descriptors_.size())
        throw DecodeError("a start request came with the wrong number of descriptors");
    std::vector<int> attached(header.attachments);
    for (std::size_t i = header.attachments; i-- > 0; descriptors_.pop_back())
        attached[i] = descriptors_.back().release();
    attachments_ = message::Attachments(std::move(attached));
    if (header.in_file) {
        const auto file = std::move(descriptors_.back());
        descriptors_.pop_back();
        file_ =
            platform::Mapping(file.get(), platform::file_size(file.get()), platform::Mapping::Access::read);
        payload = message::Reader(file_.bytes());
    }
    if (header.has_report) {
        report_ = std::move(descriptors_.back());
        descriptors_.pop_back();
    }
    read(payload);
}

ChildSetup::ChildSetup(platform::FileDescriptor file, platform::FileDescriptor report,
                       message::Attachments attachments)
    : report_(std::move(report)),
      file_(file.get(), platform::file_size(file.get()), platform::Mapping::Access::read),
      attachments_(std::move(attachments)) {
    read(message::Reader(file_.bytes()));
}

void ChildSetup::read(message::Reader payload) {
    request_ = message::decode<ChildRequest>(payload);
    call_.emplace(message::Reader(payload.take(payload.left()), &attachments_));
}

void ChildSetup::settle_in() {
    if (header_) platform::take_surroundings(header_->has_directory, header_->streams, descriptors_);
    descriptors_.clear();
    if (request_.environment) platform::replace_environment(*request_.environment);
    if (request_.resource_limits) platform::apply_resource_limits(*request_.resource_limits);
    identity() = std::move(request_.identity);
}

}  // namespace chorus::inline v0::detail::worker
