// A multi-producer, multi-consumer queue of messages between processes. Any participant may be killed at any
// instant.
//
// QueueCore coordinates its parts, each with its own invariants:
//   channel/queue_state.hpp         the layout of shared memory, and which caller writes which word
//   channel/open_queue.hpp          what a process knows of a queue that it has opened
//   channel/held_side.hpp           a side's lock, its recovery, the commit               O1, O2, O4
//   channel/ring.hpp                messages: records, room, growth, retraction           O3
//   channel/blocks.hpp              memory for rings and long messages
//   channel/line.hpp                waiting callers
//   channel/readiness.hpp           poll and epoll, hang-up
//   channel/descriptor_batches.hpp  descriptors that travel with items                    O5
//   channel/pipe_receivers.hpp      whether a pipe has a receiver                         O5
//   channel/queue_trace.hpp         what a trace shows
//
// Crash safety: a message is enqueued when the producer index advances past it and dequeued when the
// consumer index does. Each commit is one store made under that side's lock, so inheriting a lock from
// a dead owner needs no rollback.
//
// Memory orders O1 to O5 stand at the top of the files named above. All other accesses of words are
// sequentially consistent; the five suffice on a machine that reorders as ARMv8 does. tests/model runs
// O2 and O4 in all executions, and finds each one weakened.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include <chorus/detail/channel/queue_access.hpp>
#include "channel/descriptor_batches.hpp"
#include "channel/pipe_receivers.hpp"
#include "channel/readiness.hpp"
#include "channel/ring.hpp"

namespace chorus::inline v0::detail::channel {

class QueueCore {
public:
    /// Throws: UsageError for limits that make no sense, OsError when there is no memory.
    static QueuePointer create(std::uint64_t type, const std::string& type_name, QueueLimits limits,
                               QueueTrace trace);
    QueueCore(std::shared_ptr<memory::Region> region, Sockets sockets, std::string type_name,
              QueueTrace trace = {});
    ~QueueCore();
    QueueCore(const QueueCore&) = delete;
    QueueCore& operator=(const QueueCore&) = delete;

    /// One direction of a pipe: its sending and its receiving end.
    struct Ends {
        QueuePointer puts;
        QueuePointer gets;
    };
    static Ends create_pipe(std::uint64_t max_bytes);

    static void write(message::Writer& out, const QueueCore& core);
    /// Throws: TypeMismatch if its items are of another type.
    static QueuePointer read(message::Reader& in, std::uint64_t type, const std::string& type_name,
                             QueueTrace trace = {});

    const OpenQueue& queue() const noexcept { return queue_; }
    const std::shared_ptr<memory::Region>& region() const noexcept { return queue_.region; }
    const Readiness& readiness() const noexcept { return readiness_; }
    int descriptor() const noexcept { return readiness_.descriptor(); }
    const DescriptorPassing& descriptors() const noexcept { return descriptors_; }
    Rings& rings() noexcept { return rings_; }
    const RingWriter& writer() const noexcept { return writer_; }
    const RingReader& reader() const noexcept { return reader_; }

    /// Takes the lock of the puts, with room for a message of this many bytes. Returns false if the deadline
    /// passed first. Throws: ShutDown, BrokenPipe, OsError, UsageError.
    bool begin_put(std::uint64_t bytes, Deadline deadline,
                   std::span<const message::Attachment> attachments = {});
    /// Both begin_put and add, where nothing is in the way: else null, and nothing has happened.
    std::byte* begin_put_quickly(std::uint64_t bytes) noexcept;
    /// Room for one more message under the same lock, or null. Requires: begin_put, which saw to the first.
    std::byte* add(std::uint64_t bytes) { return writer_.add(bytes); }
    /// All that was added is in the queue, and the lock is given back. Throws: OsError, Damaged; then
    /// nothing has been put, and the lock is still held.
    void finish_put();
    /// Gives the lock back; what was added has not been put.
    void end_put() noexcept { queue_.state.puts.lock.give_back(); }

    /// A block to write a message in, without the lock. Throws: OsError, Full, ShutDown.
    std::uint32_t take_block(std::uint64_t bytes, Deadline deadline);
    /// Puts a message that lies in a block. Returns its position, or nothing if the deadline passed
    /// first.
    /// Throws: as begin_put.
    std::optional<std::uint32_t> put_block(std::uint32_t block, std::uint64_t bytes, Deadline deadline,
                                           std::span<const message::Attachment> attachments);

    /// Takes the lock of the gets; there is a message. Returns false if the deadline passed first. Throws:
    /// ShutDown, EndOfFile.
    bool begin_get(Deadline deadline);
    /// Both begin_get and next, where nothing is in the way: else false, and nothing has happened.
    bool begin_get_quickly(Message& message) noexcept;
    /// The next message under the same lock, as RingReader::next.
    bool next(Message& message) { return reader_.next(message); }
    /// What was taken is out of the queue, and the lock is given back. `batch`: of the last message.
    /// Throws: OsError, Damaged; then the lock is still held.
    void finish_get(std::uint64_t batch);
    void end_get() noexcept { queue_.state.gets.lock.give_back(); }

private:
    static void remember(const QueuePointer& core);
    bool try_begin_put(std::uint64_t bytes, Deadline deadline,
                       std::span<const message::Attachment> attachments);
    bool has_room_or_will_ring(std::uint64_t bytes, Deadline deadline);
    bool try_begin_get(Deadline deadline);

    OpenQueue queue_;
    Rings rings_;
    Readiness readiness_;
    DescriptorPassing descriptors_;
    PipeReceivers receivers_;
    // Used under the side's lock.
    alignas(64) RingWriter writer_;
    alignas(64) RingReader reader_;
};

}  // namespace chorus::inline v0::detail::channel
