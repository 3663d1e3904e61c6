// Wire format of a process pool: the messages of its two queues, and how they are sent.
//
//     task queue      TaskHeader, then [TaskLimits] [arrow, function name] call
//     result queue    AnswerHeader, then what its kind says
//
// The pool's process sends tasks; workers send answers. The pool's process also posts to its own result
// queue, because that queue is the order of all events.
//
// Thread safety: post() and post_header() may be called by several threads at once; a Message belongs
// to one.
// Crash safety: as the queues'. A header ends in a seal: one that a stray write has overwritten in
// flight is found damaged.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include <chorus/detail/channel/queue_access.hpp>
#include <chorus/detail/message/bytes.hpp>
#include <chorus/detail/pool/task.hpp>
#include "memory/damage.hpp"

namespace chorus::inline v0::detail::pool {

/// The last word of a header.
constexpr std::uint64_t seal_of(std::uint64_t first, std::uint64_t second) noexcept {
    return (first ^ 0x9e3779b97f4a7c15) * 0xff51afd7ed558ccd + second * 0xc4ceb9fe1a85ec53;
}

/// In front of a task's call.
struct TaskHeader {
    static constexpr auto queue_name = "a pool's queue of tasks";
    /// limits: TaskLimits follow; traced: then the arrow to its beginning and the function's name.
    enum Flags : std::uint64_t { none, tell_when_begun = 1, has_limits = 2, is_traced = 4 };
    std::uint64_t id = 0;        ///< 0: no task; the worker that takes the message leaves
    std::uint64_t flags = none;  ///< above their byte, if it is traced: its number among the pool's tasks
    std::uint64_t seal = 0;
    void close() noexcept { seal = seal_of(id, flags); }
    bool is_whole() const noexcept { return seal == seal_of(id, flags); }
    static constexpr int bits_of_flags = 8;
};
struct TaskLimits {
    std::uint64_t memory = 0;   ///< bytes that it may allocate; 0: as the worker
    std::int64_t cpu_time = 0;  ///< nanoseconds; 0: no limit
};

/// In front of what the pool's process receives. It posts some kinds to itself, so that all events have
/// one order.
struct AnswerHeader {
    static constexpr auto queue_name = "a pool's queue of answers";
    enum Kind : std::uint32_t {
        outcome,          ///< text of the stack (if an exception needs it), then as message/outcome writes it
        begun,            ///< a task that asked for it
        ready,            ///< a worker waits for tasks
        not_initialised,  ///< then the exception
        died,             ///< a worker
        look_again,       ///< for a task that may be lost with a worker that had not begun it
        lost_with_status,  ///< a task that no worker's status names any more
        generation_over,   ///< `worker` is the number of channels from which nothing more comes
        wake_up            ///< nothing more
    };
    std::uint64_t id = 0;  ///< of the task
    std::uint32_t worker = 0;
    Kind kind = outcome;
    std::uint64_t seal = 0;
    void close() noexcept { seal = seal_of(id, worker | std::uint64_t{kind} << 32); }
    bool is_whole() const noexcept { return seal == seal_of(id, worker | std::uint64_t{kind} << 32); }
};

/// Item types of the two queues, which their handles compare.
struct TaskItem {};
struct AnswerItem {};
/// A trace shows tasks, not the messages that carry them; of the waits only that of an idle worker.
inline constexpr channel::QueueTrace traced_tasks{.is_internal = true, .waits_to_get = "next task"};
inline constexpr channel::QueueTrace traced_answers{.is_internal = true};

// ---- receiving ----------------------------------------------------------------------------------

/// The header of a message. Throws: Damaged.
template <class Header>
Header read_header(std::span<const std::byte> message) {
    Header header;
    if (message.size() < sizeof header)
        memory::throw_damaged(Header::queue_name, "a message is shorter than its header");
    std::memcpy(&header, message.data(), sizeof header);
    if (!header.is_whole()) memory::throw_damaged(Header::queue_name, "a header was written over");
    return header;
}

// ---- sending ------------------------------------------------------------------------------------

/// Sends a message of these parts. Returns its position in the queue. Throws: OsError, ShutDown,
/// Damaged.
std::uint32_t post(const channel::QueuePointer& queue, std::span<const std::byte> first,
                   std::span<const std::byte> second = {},
                   std::span<const message::Attachment> attachments = {});

/// Sends a message that is a header and nothing more.
template <class Header>
std::uint32_t post_header(const channel::QueuePointer& queue, Header header) {
    header.close();
    return post(queue, std::as_bytes(std::span(&header, 1)));
}

/// Sends a received message on as it is.
void forward(const channel::QueuePointer& queue, std::span<const std::byte> bytes,
             const message::Attachments& attachments);

/// A message that is a header and what a Writer writes. Uses the caller's buffer, message after
/// message.
template <class Header>
class Message {
public:
    Message(channel::QueuePointer queue, std::vector<std::byte>& memory,
            std::atomic<std::uint32_t>* at_queue = nullptr)
        : queue_(std::move(queue)),
          memory_(memory),
          long_(queue_, sizeof(Header), at_queue),
          out_(long_, channel::GrowingMessage::threshold, std::move(memory)) {}
    ~Message() { memory_ = out_.take(); }
    Message(const Message&) = delete;
    Message& operator=(const Message&) = delete;

    message::Writer& out() noexcept { return out_; }
    std::size_t size() const noexcept { return out_.size(); }
    /// It takes part in no queue's order while it is put: other messages may be put meanwhile.
    bool is_long() const noexcept { return out_.has_spilled() || !out_.attachments().empty(); }

    /// Discards what was written.
    void clear() noexcept {
        long_.clear();
        out_ = message::Writer(long_, channel::GrowingMessage::threshold, out_.take());
    }
    /// Once. Returns its position. Throws: OsError, ShutDown.
    std::uint32_t put(Header header) {
        header.close();
        const auto front = std::as_bytes(std::span(&header, 1));
        if (!out_.has_spilled()) return post(queue_, front, out_.buffered(), out_.attachments());
        out_.flush();
        return long_.put(front, out_.attachments());
    }

private:
    const channel::QueuePointer queue_;
    std::vector<std::byte>& memory_;
    channel::GrowingMessage long_;
    message::Writer out_;
};

using TaskMessage = Message<TaskHeader>;
using AnswerMessage = Message<AnswerHeader>;

/// The header of a task in its present attempt.
TaskHeader header_of(const Task& task) noexcept;
/// Writes what follows the header. Throws: what encoding the arguments throws.
void write_task(message::Writer& out, const Task& task);

}  // namespace chorus::inline v0::detail::pool
