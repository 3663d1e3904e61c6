#include "channel/descriptor_batches.hpp"

#include <utility>
#include <vector>

#include <chorus/errors.hpp>
#include "channel/pipe_receivers.hpp"
#include "channel/readiness.hpp"

namespace chorus::inline v0::detail::channel {
namespace {

bool is_last_batch(const DescriptorBatches& batches, std::span<const message::Attachment> attachments) {
    if (batches.count != attachments.size() || attachments.size() > DescriptorBatches::most_names)
        return false;
    for (std::size_t i = 0; i < attachments.size(); ++i) {
        if (batches.names[i] != attachments[i].name) return false;
    }
    return true;
}

}  // namespace

std::optional<std::uint64_t> DescriptorPassing::send(std::span<const message::Attachment> attachments) {
    is_full_ = false;
    if (attachments.empty()) return no_batch;
    auto& state = queue_.state;
    auto& batches = state.batches;
    if (!is_last_batch(batches, attachments)) {
        batches.count = 0;
        const std::uint64_t number =
            ++batches.last;  // first: if this process is killed, the number is not used again
        batches.are_there = 1;
        std::vector<int> descriptors;
        for (const auto& attached : attachments) descriptors.push_back(attached.descriptor);
        const auto posted = post_number(queue_.sockets.of_puts(), number, descriptors);
        is_full_ = posted == platform::Posted::no_room;
        if (is_full_) return std::nullopt;
        if (posted == platform::Posted::no_receiver) throw_no_receiver();
        state.gets.signal.filled = 1;
        if (attachments.size() <= DescriptorBatches::most_names) {
            for (std::size_t i = 0; i < attachments.size(); ++i) batches.names[i] = attachments[i].name;
            batches.count = static_cast<std::uint32_t>(attachments.size());
        }
    }
    return batches.last;
}

message::Attachments DescriptorPassing::receive(std::uint64_t batch) const {
    if (batch == no_batch) return {};
    const int socket = queue_.sockets.of_gets();
    for (;;) {
        std::uint64_t number = 0;
        auto peeked = platform::peek_at_message(socket, std::as_writable_bytes(std::span(&number, 1)));
        if (peeked.size == 0 || number > batch)
            throw Error(
                "the descriptors that belong to a message are gone: another reader has read from its socket");
        if (number == batch) {
            std::vector<int> descriptors;
            for (auto& descriptor : peeked.descriptors) descriptors.push_back(descriptor.release());
            return message::Attachments(std::move(descriptors));
        }
        platform::discard_message(socket);
    }
}

void DescriptorPassing::discard_left_over() const {
    auto& state = queue_.state;
    if (queue_.has_some()) return;  // a later get comes by here
    const HeldSide held(queue_, state.puts, now);
    if (!held || queue_.has_some()) return;  // so does the next put
    state.batches.count = 0;
    Readiness::clear(state.gets.signal, queue_.sockets.of_gets());
    state.batches.are_there = 0;
}

}  // namespace chorus::inline v0::detail::channel
