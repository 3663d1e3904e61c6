// How the typed face of a queue reaches its bytes: a scope that holds one side of it.
//
// Thread safety: each object belongs to one thread.
// Crash safety: what was added and not committed has not been put; what was taken and not committed is
// still there.
#pragma once

#include <chorus/detail/contract.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <typeinfo>

#include <chorus/deadline.hpp>
#include <chorus/detail/message/bytes.hpp>

namespace chorus::inline v0::detail::channel {
class QueueCore;
}

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::detail::channel {

using QueuePointer = std::shared_ptr<QueueCore>;

/// Puts messages under one lock, and by one commit.
class Putting {
public:
    /// Waits for room for the first message, of this size. Throws: ShutDown, OsError.
    Putting(QueueCore& core, std::size_t bytes, Deadline deadline,
            std::span<const message::Attachment> attachments = {});
    ~Putting() {
        if (holds_) end();
    }
    Putting(const Putting&) = delete;
    Putting& operator=(const Putting&) = delete;

    /// False if the deadline passed first: then the side is not held.
    bool begun() const noexcept { return holds_; }
    /// Where the first message is to be written. Requires: begun().
    std::byte* first() const noexcept { return first_; }
    /// Where one more is to be written; null when there is no room for it now.
    std::byte* add(std::size_t bytes);
    /// All that was added is in the queue, and others may put.
    void commit();
    /// For retract(): where the last message that was added lies. To be asked before the commit.
    std::uint32_t position() const noexcept;

private:
    void end() noexcept;
    QueueCore& core_;
    std::byte* first_;
    bool holds_;
};

/// A long message, written where it will be read, without a lock.
class LongMessage {
public:
    /// Throws: Full, ShutDown, OsError when there is no memory for it.
    LongMessage(QueuePointer core, std::size_t bytes, Deadline deadline);
    LongMessage(LongMessage&& other) noexcept;
    LongMessage& operator=(LongMessage&& other) noexcept;
    /// If it was not put: the memory is free again.
    ~LongMessage();

    std::span<std::byte> bytes() const noexcept { return bytes_; }
    /// Returns the position for retract(); nothing if the deadline passed first. Throws: ShutDown, OsError.
    std::optional<std::uint32_t> put(std::size_t bytes, Deadline deadline,
                                     std::span<const message::Attachment> attachments = {});
    const QueuePointer& core() const noexcept { return core_; }

private:
    LongMessage(QueuePointer core, std::uint32_t block) noexcept;

    QueuePointer core_;
    std::uint32_t block_;
    std::uint32_t copy_;  ///< of the process: to another copy it is not lent
    std::span<std::byte> bytes_;
};

/// Writes a message whose length is not known beforehand: once it is too long for the ring it
/// lies where it will be read, and is not copied again.
class GrowingMessage final : public message::Sink {
public:
    /// How many bytes the Writer is to keep before it comes here.
    static const std::size_t threshold;

    /// So many bytes are left free in front. `at_queue`, if there is one, is 1 while a lock of the queue's is
    /// held.
    GrowingMessage(QueuePointer queue, std::size_t in_front, std::atomic<std::uint32_t>* at_queue = nullptr)
        : queue_(std::move(queue)), in_front_(in_front), used_(in_front), at_queue_(at_queue) {}

    /// Throws: Full, ShutDown, OsError when there is no memory for it.
    void write(std::span<const std::byte> bytes) override;
    std::byte* room(std::size_t bytes) override;
    /// Returns: for retract(). Requires: `front` is as long as what was left free.
    std::uint32_t put(std::span<const std::byte> front, std::span<const message::Attachment> attachments);
    /// Forgets what was written.
    void clear() noexcept;

private:
    void grow(std::size_t needed);

    QueuePointer queue_;
    std::size_t in_front_;
    std::size_t used_;
    std::atomic<std::uint32_t>* at_queue_;
    std::optional<LongMessage> message_;
};

/// Takes messages under one lock, and by one commit.
class Getting {
public:
    /// Waits for the first message and takes it. Throws: ShutDown, EndOfFile.
    Getting(QueueCore& core, Deadline deadline);
    ~Getting() {
        if (holds_) end();
    }
    Getting(const Getting&) = delete;
    Getting& operator=(const Getting&) = delete;

    /// False if the deadline passed first: then the side is not held.
    bool begun() const noexcept { return holds_; }
    /// One more message, or false if there is none. A short one must be read before the commit.
    bool next();
    std::span<const std::byte> bytes() const noexcept { return bytes_; }
    /// It lies in memory of its own, which is the caller's from the commit until release().
    bool is_long() const noexcept;
    std::uint32_t block() const noexcept { return block_; }
    bool is_retracted() const noexcept { return retracted_; }
    /// Of this message, among all that are ever taken from the queue: 1, 2, … To be asked before the commit.
    std::uint32_t number() const noexcept;
    /// The descriptors that came with it; to be asked for before the commit. Throws: OsError if this process
    /// can have no more.
    message::Attachments attachments();
    /// What was taken is out of the queue, and others may get.
    void commit();

private:
    void end() noexcept;
    QueueCore& core_;
    bool holds_ = false;
    std::span<const std::byte> bytes_;
    std::uint32_t block_;
    std::uint64_t batch_ = 0;  ///< of descriptors that came with it
    bool retracted_ = false;
};

/// Frees the memory of a long message that was taken.
class TakenBlock {
public:
    TakenBlock(QueuePointer core, std::uint32_t block) noexcept;
    TakenBlock(TakenBlock&& other) noexcept
        : core_(std::move(other.core_)), block_(other.block_), copy_(other.copy_) {}
    TakenBlock& operator=(TakenBlock&& other) noexcept;
    ~TakenBlock();

private:
    QueuePointer core_;
    std::uint32_t block_;
    std::uint32_t copy_;  ///< of the process: another copy has not taken it
};

struct QueueLimits {
    std::size_t max_items = 0;  ///< 0: no limit
    std::size_t max_bytes = 0;  ///< 0: no limit
};
/// How a trace shows a queue: its messages, and waits by the name of the call; or as what its owner uses it
/// for.
struct QueueTrace {
    bool is_internal = false;            ///< only waits to get are shown
    const char* waits_to_get = nullptr;  ///< of an internal queue: by this name; null: not either
};
QueuePointer make_queue(const std::type_info& item, QueueLimits limits, QueueTrace trace = {});
void write_queue(message::Writer& out, const QueuePointer& core);
QueuePointer read_queue(message::Reader& in, const std::type_info& item, QueueTrace trace = {});

/// Of a call whose deadline has passed.
[[noreturn]] void throw_full(const QueueCore& core);
[[noreturn]] void throw_empty(const QueueCore& core);

std::size_t size_of(const QueueCore& core) noexcept;
bool is_full(const QueueCore& core) noexcept;
bool is_long(std::size_t bytes) noexcept;
/// How many have been taken, wrapping at 2^32.
std::uint32_t taken_from(const QueueCore& core) noexcept;
/// Marks a message that is still in the queue, by its position: the caller that takes it finds
/// is_retracted(). Returns false if it has been taken. Positions are used again after 32 GiB: of a
/// message taken so long ago the caller must know.
bool retract(QueueCore& core, std::uint32_t position);
void task_done(QueueCore& core);
bool join(QueueCore& core, Deadline deadline);
void shut_down(QueueCore& core, bool immediately);
bool is_shut_down(const QueueCore& core) noexcept;
/// Shuts the queue down immediately, in any state and without a lock: later calls throw ShutDown.
void give_up(QueueCore& core) noexcept;
/// Whether something is in it: at a moment ago.
bool has_some(const QueueCore& core) noexcept;

/// Whether get would not wait. If not, descriptor_of() becomes readable when that changes.
bool is_ready_or_will_ring(QueueCore& core);
/// The descriptor says nothing any more, until a caller asks the above again.
void stop_ringing(QueueCore& core);

/// For poll and epoll. From now on it is readable when there is something to get.
int descriptor_of(QueueCore& core);

}  // namespace chorus::inline v0::detail::channel

#pragma GCC visibility pop
