// What a child receives at its start, and the message that carries it.
//
// Layout of a request: a RequestHeader, then the encoded ChildRequest and the encoded call. If they are long,
// these two lie in a file of their own. Descriptors come with it in the order directory, open standard
// streams, report, file, those of the call's arguments; the header says which are there.
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

/// Travels as an aggregate.
struct ChildRequest {
    Identity identity;
    platform::SignalMask mask{};
    std::optional<std::vector<std::string>> environment;      ///< where it differs from the fork server's
    std::optional<platform::ResourceLimits> resource_limits;  ///< likewise
    std::size_t memory_limit = 0;                             ///< bytes; 0 for none
    bool wants_result = false;
    std::string function;              ///< its name, for a trace
    std::vector<void (*)()> preloads;  ///< where it is spawned since the fork server cannot be copied
    std::uint32_t exit_word = no_exit_word;
};

/// What its parent has of it.
struct Newborn {
    int pid = 0;
    platform::FileDescriptor process;
    ExitSlot exit;
};

struct RequestHeader {
    bool has_directory = false;
    std::array<bool, 3> streams{};
    bool has_report = false;
    bool in_file = false;
    std::uint32_t attachments = 0;
};

/// The parent's side: collects what is to be sent.
class Request {
public:
    Request(const ChildRequest& birth, const message::Call& call);

    /// Puts everything into the file, also what is short: for a child that gets no message.
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

/// The child's side: a request taken apart, and its function found.
class ChildSetup {
public:
    /// From a message. Throws: DecodeError.
    ChildSetup(std::span<const std::byte> message, std::vector<platform::FileDescriptor> descriptors);
    /// From a file alone.
    ChildSetup(platform::FileDescriptor file, platform::FileDescriptor report,
               message::Attachments attachments);

    /// Without the identity, once settled in.
    const ChildRequest& birth() const noexcept { return birth_; }
    message::Call& call() noexcept { return *call_; }
    int report() const noexcept { return report_.get(); }
    /// Whether the arguments came with some: a pipe's end, a queue's socket.
    bool holds_descriptors() const noexcept { return header_ && header_->attachments != 0; }

    /// Makes this process what the child is to be, but for what concerns the process itself (its
    /// signals, its ties): its directory, streams, environment and identity.
    void settle_in();

private:
    void read(message::Reader payload);

    std::optional<RequestHeader> header_;  ///< empty when directory and streams were inherited
    std::vector<platform::FileDescriptor> descriptors_;
    platform::FileDescriptor report_;
    platform::Mapping file_;
    message::Attachments attachments_;
    ChildRequest birth_;
    std::optional<message::WrittenCall> call_;
};

}  // namespace chorus::inline v0::detail::worker
