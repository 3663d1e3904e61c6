// What a child receives at its start, and the message that carries it.
//
// Layout of a message: a RequestHeader, then the encoded ChildRequest and the encoded call. If these
// two are long, they lie in a file of their own. Descriptors come with the message in the order
// directory, open standard streams, report, file, those of the call's arguments. The header says which
// are there.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <chorus/detail/message/callable.hpp>
#include "memory/segment.hpp"
#include "platform/resource_limits.hpp"
#include "platform/signal_mask.hpp"
#include "worker/exit_words.hpp"
#include "worker/identity.hpp"

namespace chorus::inline v0::detail::worker {

/// Serialized as an aggregate.
struct ChildRequest {
    Identity identity;
    platform::SignalMask mask{};
    std::optional<std::vector<std::string>> environment;      ///< where they differ from the fork server's
    std::optional<platform::ResourceLimits> resource_limits;  ///< likewise
    std::size_t memory_limit = 0;                             ///< bytes; 0 for none
    bool wants_result = false;
    std::string function;  ///< the name of the call's function, for a trace
    std::vector<void (*)()>
        preloads;  ///< of a child that is spawned because the fork server cannot be copied
    std::uint32_t exit_word = no_exit_word;
};

struct RequestHeader {
    bool has_directory = false;
    std::array<bool, 3> streams{};
    bool has_report = false;
    bool in_file = false;
    std::uint32_t attachments = 0;
};

/// The parent's side: a request and its call as bytes and descriptors.
class EncodedRequest {
public:
    EncodedRequest(const ChildRequest& request, const message::Call& call);

    /// Moves everything into the file, also a short request: for a child that receives no message.
    void move_to_file();
    int file() const noexcept { return sink_.descriptor(); }

    /// The message for a fork server. Requires: called once.
    std::vector<std::byte> message(RequestHeader header);
    bool in_file() const noexcept { return payload_.has_spilled(); }
    /// Descriptors that the call's arguments need.
    std::vector<int> attachments() const;

private:
    static constexpr std::size_t longest_message = 64 * 1024;

    memory::SegmentSink sink_{"chorus-call"};
    message::Writer payload_{sink_, longest_message};
};

/// The child's side (child setup): a request decoded, and its function found.
class ChildSetup {
public:
    /// From a message. Throws: DecodeError.
    ChildSetup(std::span<const std::byte> message, std::vector<platform::FileDescriptor> descriptors);
    /// From a file alone.
    ChildSetup(platform::FileDescriptor file, platform::FileDescriptor report,
               message::Attachments attachments);

    /// Without the identity, once settled in.
    const ChildRequest& request() const noexcept { return request_; }
    message::Call& call() noexcept { return *call_; }
    int report() const noexcept { return report_.get(); }
    /// Whether the arguments came with descriptors: a pipe's end, a queue's socket.
    bool holds_descriptors() const noexcept { return header_ && header_->attachments != 0; }

    /// Gives this process the child's directory, streams, environment, resource limits and identity.
    /// Signal mask and life line concern the process itself: child_main() sets them.
    void settle_in();

private:
    void read(message::Reader payload);

    std::optional<RequestHeader> header_;  ///< empty if directory and streams were inherited
    std::vector<platform::FileDescriptor> descriptors_;
    platform::FileDescriptor report_;
    platform::Mapping file_;
    message::Attachments attachments_;
    ChildRequest request_;
    std::optional<message::WrittenCall> call_;
};

}  // namespace chorus::inline v0::detail::worker
