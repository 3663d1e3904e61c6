// A multi-producer, multi-consumer queue of messages between processes. Any participant may be killed at any
// instant.
//
// Each side (puts, gets) has a lock, an index and a place where its callers wait. Messages lie in a ring
// buffer; a long one lies in a block of its own, to which a short record in the ring refers. A message is
// enqueued when the producer index advances past it and dequeued when the consumer index does. Each commit is
// one store made under that side's lock, so inheriting a lock from a dead owner needs no rollback. An index
// holds position and number of items, which advance together.
//
// A caller that finds nothing to get (or no room to put) queues at a robust mutex. The first in that queue
// sleeps on the other side's index, and is the only sleeper there. It keeps its place until it holds the
// side's lock: if it is killed before, the next in the queue looks.
//
// When the ring is too small a larger one is linked to it: producers go on there, and consumers when they
// come to the end of the old one.
//
// Memory orders. All accesses of words are sequentially consistent but for these, which suffice on a machine
// that reorders as ARMv8 does. tests/model runs O2 and O4 in all executions, and finds each one weakened.
//   O1. A word that is written only under a side's lock is read relaxed by the holder of that lock. Taking
//       the lock is an acquire of the word that giving it back released. Of a holder that died: the kernel
//       marks its life after its last store, with a full barrier, and taking the lock from it begins with a
//       sequentially consistent load of that mark (sync::is_dead).
//   O2. The index is stored as a release by its side and loaded as an acquire by the other. A consumer that
//       sees a put's index sees the message in front of it; a producer that sees a get's index writes to the
//       place only after it was read. A message without its index is not in the queue, whichever of its
//       stores are visible.
//   O3. A ring's `next` is stored when the larger ring is complete, and loaded as an acquire. It is looked at
//       after the index: the first message of the larger ring is committed after `next`, so a caller that
//       sees that commit sees `next`.
//   O4. Commit, give back the lock, look at the other side's bell: against mark the bell, look at the index,
//       sleep. The commit is a release only; the lock is given back by an atomic exchange, and the look is a
//       sequentially consistent load, which ARMv8 does not make before a releasing store in front of it. (C++
//       promises that only where the commit itself is sequentially consistent, which costs x86 a second
//       locked instruction.) Besides, the sleeper sleeps on the index's own word.
//   O5. Whether a pipe has a receiver, and whether parcels lie in the socket, may be out of date. A receiver
//       that leaves while a message is sent could as well leave after it: the next call asks the kernel.
//       Parcels of a message are announced in the message itself (O2); left-over ones go with a later one.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include <chorus/detail/channel/queue_access.hpp>
#include "channel/blocks.hpp"
#include "sync/lock_state.hpp"

#include "platform/page.hpp"

namespace chorus::inline v0::detail::channel {

/// How far a side has come: `position` counts units of the ring, `items` what has passed. Both wrap.
struct Index {
    std::uint32_t position = 0;
    std::uint32_t items = 0;
    friend bool operator==(const Index&, const Index&) = default;
};
static_assert(std::atomic<Index>::is_always_lock_free);

/// What there is to look at for who waits by a descriptor (poll, epoll, mp::wait, and a pipe's ends, which
/// must also hear that the other end is gone). A message in the socket makes it readable: a bell, or
/// descriptors that belong to an item. Once `wanted` is set, the other side sees to it, before each commit,
/// that there is one; it is taken out again by who finds nothing to do. All of that happens under the other
/// side's lock: so there is no commit without a bell that somebody who then sleeps could miss.
struct Box {
    sync::Word wanted{0};
    sync::Word filled{0};
};

/// Layout: as below; each side on lines of its own. Writers: who holds the side's lock, but for what says
/// otherwise.
struct Side {
    alignas(64) sync::LockState lock;
    sync::Word ring{0};  ///< number of the block in which this side works
    Index other;         ///< what it last saw of the other side's index
    alignas(64) std::atomic<Index> index{};
    alignas(64) sync::Bell bell;  ///< of this side's callers who wait; writers: anybody
    platform::RobustMutex line;   ///< in which they wait
    Box box;  ///< for those who wait by a descriptor; writers: who holds the other side's lock
};

/// The descriptors sent along with items, in a socket beside the ring. Each parcel has a number, which items
/// name; items that need the same name the same. Who finds a smaller number first throws it away: its item
/// was never put, or has been taken. Writers: who holds the lock of the puts.
struct Parcels {
    static constexpr std::uint32_t most_names = 16;

    std::uint64_t last = 0;
    std::uint32_t count = 0;  ///< names of the last one; 0: it cannot be used again
    sync::Word are_there{0};  ///< some may be in the socket
    std::uint64_t names[most_names]{};
};

/// A queue's socket leads to itself. A pipe has two, for its two ends: an end that is gone hangs up the
/// other.
struct Sockets {
    platform::FileDescriptor puts;
    platform::FileDescriptor gets;  ///< none: the same
    int of_puts() const noexcept { return puts.get(); }
    int of_gets() const noexcept { return gets ? gets.get() : puts.get(); }
};

/// Layout: as below. Written once, but for `phase`, `done`, `departures` (anybody), `sweep` (either side) and
/// `last_getter` (the side of the gets).
struct QueueState {
    static constexpr std::uint64_t current_layout = 2;

    std::uint64_t layout = current_layout;
    std::uint64_t type = 0;  ///< of its items
    std::uint64_t max_items = 0;
    std::uint64_t max_bytes = 0;

    /// open → draining or immediate, draining → immediate: a commit. Its low 30 bits stay free, for the
    /// system to wake a sleeper when who shuts down is killed.
    enum Phase : std::uint32_t { open = 0, draining = 1U << 30, immediate = 3U << 30 };
    alignas(64) sync::Word phase{open};
    alignas(64) sync::Word done{0};  ///< items that were said to be done
    sync::Bell all_done;
    sync::Word last_getter{0};  ///< the life of who got last; pipes only
    sync::Word departures{0};   ///< how often a holder of a pipe's receiving end closed it
    sync::Word sweep{0};        ///< somebody was killed: there may be blocks that nothing refers to

    Parcels parcels;

    Side puts;
    Side gets;
};

/// Where it lies in a queue's region.
inline constexpr std::size_t state_offset = sizeof(memory::RegionHeader);

/// A queue as it looks from outside, to who only reads its memory.
struct QueueSight {
    std::uint64_t region = 0;     ///< its name
    std::uint64_t max_items = 0;  ///< 0: no limit
    std::uint64_t max_bytes = 0;
    std::uint32_t put = 0;  ///< items so far, modulo 2^32
    std::uint32_t got = 0;
    bool is_pipe = false;
    bool is_shut_down = false;
};
/// Where in a queue's region that is to be seen: within its first bytes.
inline constexpr std::size_t bytes_in_sight = platform::page_size;
/// Nothing if it is of another version. Requires: that many bytes.
inline std::optional<QueueSight> look_at_queue(std::span<const std::byte> region) noexcept {
    const auto& header = *std::launder(reinterpret_cast<const memory::RegionHeader*>(region.data()));
    const auto& state = *std::launder(reinterpret_cast<const QueueState*>(region.data() + state_offset));
    if (state.layout != QueueState::current_layout) return std::nullopt;
    QueueSight sight{.region = header.name,
                     .max_items = state.max_items,
                     .max_bytes = state.max_bytes,
                     .is_pipe = state.type == 0};
    sight.got = state.gets.index.load().items;  // first: what is put later is not taken for less than was got
    sight.put = state.puts.index.load().items;
    sight.is_shut_down = state.phase.load() != QueueState::open;
    return sight;
}
inline constexpr const char* queue_label = "chorus-queue";

class QueueCore {
public:
    /// Throws: UsageError for limits that make no sense, OsError when there is no memory.
    static std::shared_ptr<QueueCore> create(std::uint64_t type, const std::string& type_name,
                                             QueueLimits limits, QueueTrace trace);
    QueueCore(std::shared_ptr<memory::Region> region, Sockets sockets, std::string type_name,
              QueueTrace trace = {});
    ~QueueCore();
    QueueCore(const QueueCore&) = delete;
    QueueCore& operator=(const QueueCore&) = delete;

    /// One direction of a pipe: who may put there, and who may get.
    struct Ends {
        std::shared_ptr<QueueCore> puts;
        std::shared_ptr<QueueCore> gets;
    };
    static Ends create_pipe(std::uint64_t max_bytes);

    static void write(message::Writer& out, const QueueCore& core);
    /// Throws: TypeMismatch if its items are of another type.
    static std::shared_ptr<QueueCore> read(message::Reader& in, std::uint64_t type,
                                           const std::string& type_name, QueueTrace trace = {});

    std::uint64_t size() const noexcept;
    bool full() const noexcept;
    std::uint64_t max_items() const noexcept { return max_items_; }
    [[noreturn]] void throw_full() const;
    [[noreturn]] void throw_empty() const;

    /// Takes the lock of the puts, with room for a message of this many bytes. Returns false if the deadline
    /// passed first. Throws: ShutDown, BrokenPipe, OsError, UsageError.
    bool begin_put(std::uint64_t bytes, Deadline deadline,
                   std::span<const message::Attachment> attachments = {});
    /// Both begin_put and add, where nothing is in the way: else null, and nothing has happened.
    std::byte* begin_put_quickly(std::uint64_t bytes) noexcept;
    /// Room for one more message under the same lock, or null. Requires: begin_put, which saw to the first.
    std::byte* add(std::uint64_t bytes);
    /// Adds a message that lies in a block, as `add` does. Returns false if there is no room.
    bool add_block(std::uint32_t block, std::uint64_t bytes);
    /// All that was added is in the queue, and the lock is given back.
    void finish_put();
    /// Gives the lock back; what was added has not been put.
    void end_put() noexcept;

    /// A block to write a message in, without the lock. Throws: OsError, Full, ShutDown.
    std::uint32_t take_block(std::uint64_t bytes, Deadline deadline);
    std::byte* address(std::uint32_t block, std::uint64_t bytes) {
        return blocks_.bytes(block, bytes).data();
    }
    void give_block(std::uint32_t block) noexcept { blocks_[block].owner.store(Block::nobody); }
    /// Whether a message of this size goes into a block.
    static constexpr std::uint64_t longest_in_ring = 128 * 1024;
    static bool is_long(std::uint64_t bytes) noexcept { return bytes > longest_in_ring; }

    /// Takes the lock of the gets; there is a message. Returns false if the deadline passed first. Throws:
    /// ShutDown, EndOfFile.
    bool begin_get(Deadline deadline);
    struct Message {
        std::span<const std::byte> bytes;
        std::uint32_t block = Blocks::none;  ///< in which it lies
        std::uint64_t parcel = 0;            ///< that belongs to it
        bool retracted = false;
    };
    /// Both begin_get and next, where nothing is in the way: else false, and nothing has happened.
    bool begin_get_quickly(Message& message) noexcept;
    /// The next message under the same lock. Returns false if there is none. What lies in the ring must be
    /// read before the commit; a block belongs to the caller from the commit on.
    bool next(Message& message);
    void commit_get();
    void end_get() noexcept;
    /// Both.
    void finish_get();

    /// The descriptors of a message, before the commit. Throws: OsError if this process can have no more.
    message::Attachments open_parcel(std::uint64_t parcel);
    bool has_parcels() const noexcept {
        return state_.parcels.are_there.load(std::memory_order_relaxed) != 0;  // O5
    }
    void throw_away_parcels();

    /// To be looked at by poll: readable when there is something to get (or to put, on a pipe's sending end).
    int descriptor() const noexcept { return sockets_.of_gets(); }
    /// Whether get would not wait. If not, the descriptor becomes readable when that changes. May wait a
    /// moment for another call to finish.
    bool is_ready_or_will_ring(Deadline deadline);
    void stop_ringing();
    bool is_something() const noexcept;
    /// Returns false when the deadline passed. A pipe's end that is gone counts as something.
    bool wait_for_something(Deadline deadline);
    int sending_descriptor() const noexcept { return sockets_.of_puts(); }
    /// A pipe's receiving end is closed by this process.
    void depart() noexcept {
        state_.departures.fetch_add(1);
        state_.last_getter =
            sync::nobody;  // until the next one has received, each send asks whether anybody is there
    }

    /// Where the last message that was added lies, for retract. Requires: the lock of the puts is held.
    std::uint32_t put_at() const noexcept { return put_at_; }
    /// Marks a message that is still in the queue: who takes it is told. Returns false if it has been taken.
    /// Positions are used again after 32 GiB: of a message taken so long ago the caller must know.
    bool retract(std::uint32_t position);
    /// The number of the message being taken: the first one's is 1. Requires: the lock of the gets is held.
    std::uint32_t number() const noexcept { return get_index_.items; }
    std::uint32_t taken() const noexcept { return state_.gets.index.load().items; }

    void task_done();
    bool join(Deadline deadline);
    void shut_down(bool immediately);
    /// The same at once, whatever state the queue is in; without any lock. For a queue that is damaged or no
    /// longer used.
    void give_up() noexcept;
    bool is_shut_down() const noexcept { return state_.phase.load() != QueueState::open; }

    const std::shared_ptr<memory::Region>& region() const noexcept { return region_; }

private:
    static constexpr std::uint64_t unit = 8;
    struct Ring;
    struct Record;
    /// Where a ring lies in this process.
    struct View {
        std::uint32_t block = Blocks::none;
        Ring* ring = nullptr;
        std::byte* data = nullptr;
        std::uint32_t capacity = 0;
        std::uint32_t copy = 0;  ///< in which process it was looked at
    };

    bool is_pipe() const noexcept { return is_pipe_; }
    bool gets_only() const noexcept { return !sockets_.puts; }
    void make_first_ring(std::uint64_t wanted);
    static void remember(const std::shared_ptr<QueueCore>& core);
    std::uint32_t unfinished(std::uint32_t done) const noexcept;
    void look_at(View& view, std::uint32_t block);
    std::optional<View> after(const View& view);
    Record record_at(const View& view, Index at, std::uint32_t end) const;
    const std::byte* place_of(const View& view, std::uint32_t position) const noexcept;
    static std::uint32_t units_of(const Record& record) noexcept;
    [[noreturn]] void tell_of_damage(const std::string& found) const;
    std::uint32_t phase() const;
    void expect_order(Index puts, Index gets) const;
    bool is_in_view(const View& view, const Side& side) const noexcept;
    void follow_puts();
    void follow_gets();
    bool take_side(Side& side, Deadline deadline);
    void recover_side(Side& side);
    void finish(Side& side, Side& other, Index index);
    enum class Call { put, get, join, poll };
    const char* name_of(Call call) const noexcept;
    void trace_messages(Call call, const View& view, Index from, Index to) const;
    bool has_room(std::uint32_t units);
    void renew_start() noexcept;
    bool may_grow() const noexcept;
    void grow(std::uint32_t units);
    std::byte* reserve(std::uint32_t units);
    bool is_within_limits(std::uint64_t bytes);
    bool is_within_bytes(Index index, std::uint64_t bytes) const noexcept;
    bool try_begin_put(std::uint64_t bytes, Deadline deadline,
                       std::span<const message::Attachment> attachments);
    bool enclose(std::span<const message::Attachment> attachments);
    void ring_box(Box& box, int socket);
    void empty_box(Box& box, int socket);
    bool has_room_or_will_ring(std::uint64_t bytes, Deadline deadline);
    template <class Attempt, class WillRing>
    bool wait_by_descriptor(const char* call, const sync::Word& watched, int socket, Deadline deadline,
                            Attempt attempt, WillRing ready_or_will_ring);
    bool has_receiver() const noexcept;
    void require_receiver();
    bool is_hung_up(int socket) const;
    bool try_begin_get(Deadline deadline);
    void require_open() const;
    template <class Attempt>
    bool wait_in_line(const char* call, Side& side, const sync::Word& watched, Deadline deadline,
                      Attempt attempt);
    std::uint32_t find_block(std::uint64_t bytes, std::uint32_t owner);
    void sweep();
    std::uint64_t bytes_in_blocks() const noexcept;

    std::shared_ptr<memory::Region> region_;
    Sockets sockets_;
    QueueState& state_;
    // Private copies of constants in the shared state: no other process can change these.
    const bool is_pipe_;
    const std::uint64_t max_items_;
    const std::uint64_t max_bytes_;
    std::string type_name_;
    QueueTrace trace_;
    Blocks blocks_;
    // Used under the side's lock.
    alignas(64) View put_view_;
    Index put_index_;           ///< the side's index and what was added since
    std::uint32_t put_at_ = 0;  ///< the last message that was added
    std::uint64_t parcel_ = 0;  ///< of what is being added
    std::uint32_t seen_departures_ = 0;
    std::atomic<bool> socket_is_full_{false};  ///< of parcels
    alignas(64) View get_view_;
    Index get_index_;
};

}  // namespace chorus::inline v0::detail::channel
