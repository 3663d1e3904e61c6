// The rings of a queue: where its messages lie.
//
// Messages lie in a ring buffer, each in one piece behind a record; a long one lies in a block of its
// own, to which a short record in the ring refers. When the ring is too small a larger one is linked to
// it: producers go on there, and consumers when they come to the end of the old one.
//
// Crash safety: what was added and not committed lies behind the index, where the next producer writes
// over it. A producer that is killed between linking a ring and moving on to it leaves a ring that
// follows the side's own: the next one moves on.
//
// Memory order O3 (all five: channel/queue_core.hpp):
//   O3. A ring's `next` is stored when the larger ring is complete, and loaded as an acquire. It is
//       looked at after the index: the first message of the larger ring is committed after `next`, so a
//       caller that sees that commit sees `next`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "channel/blocks.hpp"
#include "channel/held_side.hpp"

namespace chorus::inline v0::detail::channel {

/// Of a ring's places, in bytes. Positions count these.
inline constexpr std::uint64_t unit = 8;
/// Of the first ring, in bytes, if the queue has no limit of items; and the most it has else.
inline constexpr std::uint64_t usual_ring = 64 * 1024;
/// A longer message goes into a block.
inline constexpr std::uint64_t longest_in_ring = 128 * 1024;

/// Layout: at the start of a block; its messages follow. Writers: the process that makes it; of `next`
/// the process that makes the next ring, once: that is the commit by which the next ring takes over.
struct alignas(64) Ring {
    std::uint32_t capacity = 0;  ///< units, a power of two
    /// A position of its first unit; of the last ring, now and then a later one
    /// (RingWriter::renew_start).
    sync::Word start{0};
    sync::Word next{0};  ///< the block of the ring that took over, plus 1
};

/// In front of each message in a ring. It bears the number of its message: so what was left there from
/// an earlier round, or written over, is not taken for the next one.
struct Record {
    enum Kind : std::uint32_t {
        message,
        message_with_batch,  ///< the number of its descriptor batch comes first
        block,
        padding,
        retracted = 8, /* may be added to each */
        kind_mask = 7,
        flags_mask = 0xff
    };
    static constexpr std::uint32_t said(Kind kind, std::uint32_t number) noexcept {
        return kind | number << 8;
    }

    std::uint32_t bytes = 0;  ///< of padding: units
    std::uint32_t what = message;

    Kind kind() const noexcept { return static_cast<Kind>(what & kind_mask); }
    bool is_retracted() const noexcept { return (what & retracted) != 0; }
};
inline constexpr std::uint64_t record_size = 8;
static_assert(sizeof(Record) == record_size);

/// What a record of the kind `block` says.
struct BlockRecord {
    std::uint64_t bytes = 0;
    std::uint32_t block = 0;
    std::uint32_t unused = 0;
    std::uint64_t batch = 0;
};

/// Of a message of this many bytes and its record.
inline std::uint32_t units_for(std::uint64_t bytes) noexcept {
    return static_cast<std::uint32_t>(1 + (bytes + 7) / 8);
}
inline std::uint32_t units_of(const Record& record) noexcept {
    return record.kind() == Record::padding ? record.bytes : units_for(record.bytes);
}

/// Where a ring lies in this process.
struct RingView {
    std::uint32_t block = Blocks::none;
    Ring* ring = nullptr;
    std::byte* data = nullptr;
    std::uint32_t capacity = 0;
    std::uint32_t copy = 0;  ///< in which process it was looked at

    std::byte* place_of(std::uint32_t position) const noexcept {
        return data + std::size_t{(position - ring->start) & (capacity - 1)} * unit;
    }
};

/// A message that was taken.
struct Message {
    std::span<const std::byte> bytes;
    std::uint32_t block = Blocks::none;  ///< in which it lies
    std::uint64_t batch = 0;             ///< of descriptors that belong to it
    bool retracted = false;
};

/// The rings and blocks of a queue, in one process.
class Rings {
public:
    explicit Rings(const OpenQueue& its_queue) : queue(its_queue), blocks(queue.region, table_offset) {}

    void make_first(std::uint64_t wanted_bytes);
    /// The last ring a side works in is this one, and it is still known where. Requires: the side's
    /// lock is held.
    bool is_current(const RingView& view, const Side& side) const noexcept {
        return view.ring != nullptr && view.block == under_lock(side.ring) &&
               view.copy == memory::copy_number() && view.capacity == view.ring->capacity &&
               view.ring->next.load(std::memory_order_acquire) == 0;  // O3
    }
    /// Throws: Damaged, OsError.
    void look_at(RingView& view, std::uint32_t block);
    /// The ring that took over from this one, if one did. Throws: Damaged, OsError.
    std::optional<RingView> after(const RingView& view);
    /// `at` counts the items before it; nothing was put behind `end`. Throws: Damaged.
    Record record_at(const RingView& view, Index at, std::uint32_t end) const;

    /// A block of this size, which gets this owner, or none if the table is full. Requires: the lock of
    /// the puts is held. Throws: OsError if there is no memory.
    std::uint32_t find_block(std::uint64_t bytes, std::uint32_t owner);
    /// Frees the blocks that dead processes have left, if there may be some. Requires: the lock of the
    /// puts is held.
    void sweep();
    /// Marks a message that is still in the queue: the caller that takes it finds it retracted. Returns
    /// false if it has been taken. Positions are used again after 32 GiB: of a message taken so long
    /// ago the caller must know.
    bool retract(std::uint32_t position);

    const OpenQueue& queue;
    Blocks blocks;

private:
    std::vector<bool> find_used_blocks();
};

/// The producers' place in the rings. Each call requires: the lock of the puts is held.
class RingWriter {
public:
    explicit RingWriter(Rings& rings) : rings_(rings) {}

    /// Goes to the last ring, and forgets what was added and not committed. Throws: Damaged, OsError.
    void begin();
    /// Whether the queue's limits let in one more message of this many bytes.
    bool is_within_limits(std::uint64_t bytes);
    bool is_within_bytes(Index at, std::uint64_t bytes) const noexcept {
        const std::uint64_t in_ring = std::uint64_t{at.position - side().other.position} * unit;
        return in_ring + rings_.blocks.bytes_in_queue() + bytes <= rings_.queue.max_bytes;
    }
    /// Room for one message, if need be in a larger ring. Requires: nothing was added that is not
    /// committed.
    /// Throws: Damaged, OsError, Error.
    bool make_room(std::uint64_t bytes);
    /// Where the next message is to be written; null if there is no room.
    std::byte* add(std::uint64_t bytes);
    /// Adds a message that lies in a block. Returns false if there is no room.
    bool add_block(std::uint32_t block, std::uint64_t bytes);

    RingView view;
    Index index;                      ///< the side's index and what was added since
    std::uint32_t last_position = 0;  ///< of the last message that was added, for Rings::retract
    std::uint64_t batch = 0;          ///< of what is being added

private:
    Side& side() const noexcept { return rings_.queue.state.puts; }
    bool has_room(std::uint32_t units);
    void renew_start() noexcept;
    bool may_grow() const noexcept;
    void grow(std::uint32_t units);
    std::byte* reserve(std::uint32_t units);

    Rings& rings_;
};

/// The consumers' place in the rings. Each call requires: the lock of the gets is held.
class RingReader {
public:
    explicit RingReader(Rings& rings) : rings_(rings) {}

    /// Forgets what was taken and not committed. Throws: Damaged, OsError.
    void begin();
    /// The next message, or false if there is none. What lies in the ring must be read before the
    /// commit; a block belongs to the caller from the commit on. Throws: Damaged, OsError.
    bool next(Message& message);

    RingView view;
    Index index;  ///< the side's index and what was taken since

private:
    Side& side() const noexcept { return rings_.queue.state.gets; }
    void follow();

    Rings& rings_;
};

}  // namespace chorus::inline v0::detail::channel
