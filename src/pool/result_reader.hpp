// Result reader: receives the messages in a backend's result queue, one after the other.
//
// Thread safety: one thread at a time. Handlers may re-enter receive().
// Crash safety: messages of dead workers come like any others; what they had not committed never comes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <span>
#include <vector>

#include <chorus/deadline.hpp>
#include <chorus/detail/channel/queue_access.hpp>
#include <chorus/detail/message/bytes.hpp>
#include "pool/worker_status.hpp"

namespace chorus::inline v0::detail::pool {

struct ReceivedResult {
    AnswerHeader header;
    std::span<const std::byte> rest;
    message::Attachments attachments;
    std::exception_ptr error;  ///< they could not be taken: of the one task whose answer it is
};

class ResultReader {
public:
    void open(channel::QueuePointer answers) { answers_ = std::move(answers); }

    /// Whether there is something that was taken out of the queue already.
    bool has_some() const noexcept { return !taken_.empty(); }
    /// Passes the next message to `handle`. Returns false if the deadline passes first.
    bool receive(Deadline deadline, const std::function<void(ReceivedResult&)>& handle);

private:
    struct Taken {
        ReceivedResult result;
        std::size_t begin = 0;  ///< of the rest, in memory_, if it is not in a block
        std::size_t size = 0;
        std::optional<channel::TakenBlock> block;
    };
    bool take_what_came(Deadline deadline);

    channel::QueuePointer answers_;
    std::list<Taken> taken_;
    std::vector<std::byte> memory_;
    std::list<std::vector<std::byte>> older_memory_;  ///< callers up the stack still read there
    int depth_ = 0;
};

}  // namespace chorus::inline v0::detail::pool
