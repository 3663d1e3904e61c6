// What a crew hears: the messages in its queue of answers, one after the other.
//
// Threads: one at a time; what is done about a message may hear the next ones meanwhile.
// Death: messages of the dead come like any others; what they had not finished never comes.
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
#include "pool/note.hpp"

namespace chorus::pool {

struct Heard {
    AnswerHeader header;
    std::span<const std::byte> rest;
    message::Attachments attachments;
    std::exception_ptr error;  ///< they could not be taken: of the one task whose answer it is
};

class Inbox {
public:
    void open(channel::QueuePointer answers) { answers_ = std::move(answers); }

    /// Whether there is something that was taken out of the queue already.
    bool has_some() const noexcept { return !taken_.empty(); }
    /// Hands the next message on. Returns false when nothing came in time.
    bool hear(Deadline deadline, const std::function<void(Heard&)>& heed);

private:
    struct Taken {
        Heard heard;
        std::size_t begin = 0;  ///< of the rest, in memory_, if it is not in a block
        std::size_t size = 0;
        std::optional<channel::TakenBlock> block;
    };
    bool take_what_came(Deadline deadline);

    channel::QueuePointer answers_;
    std::list<Taken> taken_;
    std::vector<std::byte> memory_;
    std::list<std::vector<std::byte>> older_memory_;  ///< somebody up the stack still reads there
    int depth_ = 0;
};

}  // namespace chorus::pool
