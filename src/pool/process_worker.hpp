// What a worker process of a pool does from its first step to its last.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include <chorus/detail/channel/queue_access.hpp>
#include <chorus/detail/message/callable.hpp>
#include "platform/os_process.hpp"
#include "pool/worker_status.hpp"

namespace chorus::inline v0::detail::pool {

/// What it is given.
struct WorkerKit {
    channel::QueuePointer tasks;
    channel::QueuePointer answers;
    std::shared_ptr<WorkerStatus> note;
    std::uint32_t number = 0;
    std::uint64_t max_tasks = 0;
    std::uint64_t memory = 0;        ///< bytes that it may allocate; 0: no limit
    platform::SignalMask signals{};  ///< the program's; a worker is started by a thread that blocks them all
    bool leaves_terminations = false;  ///< SIGTERM to the whole group is for the program, which handles it
    std::shared_ptr<platform::FileDescriptor>
        standard_error;  ///< a pipe to write to; null: the worker keeps the program's own
};

/// The call that a worker process is started with.
std::unique_ptr<message::Call> make_worker_call(WorkerKit kit, std::shared_ptr<message::Call> initializer);

/// A message of these parts. May be called by several threads at once.
std::uint32_t post(const channel::QueuePointer& queue, std::span<const std::byte> first,
                   std::span<const std::byte> second = {},
                   std::span<const message::Attachment> attachments = {}, Deadline deadline = {});

/// A message that is a header and nothing more.
template <class Header>
std::uint32_t post_header(const channel::QueuePointer& queue, Header header, Deadline deadline = {}) {
    header.close();
    return post(queue, std::as_bytes(std::span(&header, 1)), {}, {}, deadline);
}

/// A message for one of a pool's two queues: a header, and what a Writer writes. In memory that is used again
/// and again.
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

    const channel::QueuePointer& queue() const noexcept { return queue_; }
    message::Writer& out() noexcept { return out_; }
    std::size_t size() const noexcept { return out_.size(); }
    /// It takes part in no queue's order while it is put: others may put theirs meanwhile.
    bool is_long() const noexcept { return out_.has_spilled() || !out_.attachments().empty(); }

    /// Begins anew.
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

/// Item types of the two queues, which their handles compare.
struct TaskItem {};
struct AnswerItem {};
/// A trace shows tasks, not the messages that carry them; of the waits only that of an idle worker.
inline constexpr channel::QueueTrace traced_tasks{.is_internal = true, .waits_to_get = "next task"};
inline constexpr channel::QueueTrace traced_answers{.is_internal = true};

}  // namespace chorus::inline v0::detail::pool
