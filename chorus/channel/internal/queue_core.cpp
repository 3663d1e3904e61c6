#include <chorus/channel/internal/queue_core.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstring>
#include <optional>

#include <chorus/errors.hpp>

namespace chorus::channel {

/// Layout: at the start of a block; its messages follow. Writers: who makes it; `next` who makes the next one, once:
/// that is the commit by which it takes over.
struct alignas(64) QueueCore::Ring {
    std::uint32_t capacity = 0;  ///< units, a power of two
    std::uint32_t start = 0;     ///< position of its first unit
    sync::Word next{0};          ///< the block of the ring that took over, plus 1
};

namespace {

using sync::Home;

/// In front of each message in a ring.
struct Record {
    enum Kind : std::uint32_t { message, block, padding };
    std::uint32_t bytes = 0;
    Kind kind = message;
};

/// What a record of the kind `block` says.
struct BlockRecord {
    std::uint64_t bytes = 0;
    std::uint32_t block = 0;
    std::uint32_t unused = 0;
};

constexpr std::size_t page = 4096;
constexpr std::size_t state_offset = sizeof(memory::RegionHeader);
constexpr std::size_t table_offset = page;
static_assert(state_offset + sizeof(QueueState) <= table_offset);
constexpr std::uint64_t smallest_ring = 4096;
constexpr std::uint64_t usual_ring = 64 * 1024;
constexpr std::uint64_t largest_distance = 1U << 31;

// How long a call that shall not wait lets another one finish what it is doing under the lock.
constexpr auto grace = std::chrono::milliseconds(10);

// The half of the index that changes with each commit: what the other side sleeps on.
const sync::Word& position_of(const Side& side) { return *std::launder(static_cast<const sync::Word*>(static_cast<const void*>(&side.index))); }

std::uint32_t units_for(std::uint64_t bytes) { return static_cast<std::uint32_t>(1 + (bytes + 7) / 8); }

class PlaceInLine {
public:
    PlaceInLine(platform::RobustMutex& line, Deadline deadline) : line_(line), in_time_(line.lock(deadline) != platform::RobustMutex::Locked::not_in_time) {}
    ~PlaceInLine() {
        if (in_time_) line_.unlock();
    }
    PlaceInLine(const PlaceInLine&) = delete;
    PlaceInLine& operator=(const PlaceInLine&) = delete;
    bool in_time() const noexcept { return in_time_; }

private:
    platform::RobustMutex& line_;
    bool in_time_;
};

// Sleeps while the word, the bell and the phase stay as they are.
void sleep_on(const sync::Word& watched, std::uint32_t seen, const sync::Bell& bell, sync::Word& phase, Deadline deadline) {
    const std::uint32_t before = phase.load();
    const platform::WakesAtDeath handed_on(phase);
    const std::array<platform::WordHolds, 3> words{{{&watched, seen}, {&bell.word(), sync::Bell::marked}, {&phase, before}}};
    platform::shared_futex_wait_on_all(words, deadline);
    // Who shuts down and is killed has had one sleeper woken, who wakes the rest.
    if (phase.load() != before) platform::shared_futex_wake_all(phase);
}

}  // namespace

// ---- made, sent, received ------------------------------------------------------------------------

std::shared_ptr<QueueCore> QueueCore::create(std::uint64_t type, const std::string& type_name, std::uint64_t max_items, std::uint64_t max_bytes) {
    if (max_items >= largest_distance) throw UsageError("a queue holds at most 2147483647 items, asked for " + std::to_string(max_items));
    auto region = memory::Region::create_sparse("chorus-queue", table_offset + sizeof(BlockTable) - state_offset, table_offset + page);
    auto* const state = new (region->data() + state_offset) QueueState;
    state->type = type;
    state->max_items = max_items;
    state->max_bytes = max_bytes;
    for (Side* side : {&state->puts, &state->gets}) {
        side->lock.initialise(Home::process, false);
        side->line.initialise();
    }
    auto* const table = new (region->data() + table_offset) BlockTable;
    table->table_ready = page - (sizeof(BlockTable) - sizeof table->blocks);
    auto core = std::make_shared<QueueCore>(region, type_name);
    const std::uint64_t likely = max_items == 0 ? usual_ring : std::bit_ceil(max_items * 64);
    const std::uint64_t bytes = std::clamp(likely, smallest_ring, usual_ring);
    const std::uint32_t first = core->blocks_.make(sizeof(Ring) + bytes, Block::the_queue);
    new (core->blocks_.address(first)) Ring{static_cast<std::uint32_t>(bytes / unit), 0, {}};
    return core;
}

QueueCore::QueueCore(std::shared_ptr<memory::Region> region, std::string type_name)
    : region_(std::move(region)),
      state_(*std::launder(reinterpret_cast<QueueState*>(region_->data() + state_offset))),
      type_name_(std::move(type_name)),
      blocks_(region_, table_offset) {}

void QueueCore::write(message::Writer& out, const QueueCore& core) { memory::write_place(out, {core.region_, state_offset}); }

std::shared_ptr<QueueCore> QueueCore::read(message::Reader& in, std::uint64_t type, const std::string& type_name) {
    const auto place = memory::read_place(in, sizeof(QueueState));
    if (place.offset != state_offset || place.region->size() < table_offset + sizeof(BlockTable)) {
        throw DecodeError("message damaged: no queue lies where it says");
    }
    auto core = std::make_shared<QueueCore>(place.region, type_name);
    if (core->state_.layout != QueueState::current_layout) throw DecodeError("message damaged: no queue lies where it says");
    if (core->state_.type != type) throw TypeMismatch("the queue that came holds items of another type than " + type_name);
    return core;
}

// ---- how many ------------------------------------------------------------------------------------

std::uint64_t QueueCore::size() const noexcept {
    if (state_.phase.load() == QueueState::immediate) return 0;
    for (;;) {
        const Index puts = state_.puts.index.load();
        const Index gets = state_.gets.index.load();
        if (puts == state_.puts.index.load()) return puts.items - gets.items;  // at the moment when gets was read
    }
}

bool QueueCore::full() const noexcept { return state_.max_items != 0 && size() >= state_.max_items; }

std::uint32_t QueueCore::unfinished() const noexcept {
    // Thrown away with all that was in the queue: only what was taken is still to be done.
    const bool dropped = state_.phase.load() == QueueState::immediate;
    return (dropped ? state_.gets : state_.puts).index.load().items - state_.done.load();
}

void QueueCore::task_done() {
    std::uint32_t done = state_.done.load();
    const sync::TellsInDeath pending(Home::process, state_.all_done.word());
    do {
        if (unfinished() == 0) throw UsageError("task_done() was called more often than items were put");
    } while (!state_.done.compare_exchange_strong(done, done + 1));
    if (unfinished() == 0) state_.all_done.ring_all(Home::process, state_.done);
}

bool QueueCore::join(Deadline deadline) {
    const auto all_done = [&] { return unfinished() == 0; };
    if (all_done() || sync::look_for(all_done)) return true;
    for (;;) {
        const std::uint32_t seen = state_.done.load();
        state_.all_done.mark();
        if (all_done()) break;
        if (deadline.has_passed()) return false;
        sleep_on(state_.done, seen, state_.all_done, state_.phase, deadline);
    }
    state_.all_done.ring_all(Home::process, state_.done);
    return true;
}

void QueueCore::shut_down(bool immediately) {
    take_side(state_.puts, {});  // nobody is half-way through a put
    {
        const platform::WakesAtDeath pending(state_.phase);
        state_.phase.fetch_or(immediately ? QueueState::immediate : QueueState::draining);
        platform::shared_futex_wake_all(state_.phase);
    }
    state_.puts.lock.give_back();
}

void QueueCore::require_open() const {
    if (state_.phase.load() != QueueState::open) throw ShutDown("the queue was shut down: nothing more can be put");
}

// ---- the sides -----------------------------------------------------------------------------------

bool QueueCore::take_side(Side& side, Deadline deadline) {
    const auto taken = side.lock.take(deadline);
    if (taken == sync::LockState::Taken::after_owner_died) {
        state_.sweep = 1;
        side.lock.trust_again();
    }
    return taken != sync::LockState::Taken::not_in_time;
}

void QueueCore::look_at(View& view, std::uint32_t block) {
    if (view.block == block && view.copy == memory::copy_number()) [[likely]]
        return;
    std::byte* const address = blocks_.address(block);
    auto* const ring = reinterpret_cast<Ring*>(address);
    view = {block, ring, address + sizeof(Ring), ring->capacity, memory::copy_number()};
}

// Waits in line until the attempt, which takes the side's lock, succeeds.
template <class Attempt>
bool QueueCore::wait_in_line(Side& side, const sync::Word& watched, Deadline deadline, Attempt attempt) {
    // With a free lock this is all there is to it.
    std::uint32_t seen = watched.load();
    if (attempt()) return true;
    if (deadline.has_passed()) return false;
    constexpr int tries = 4;  // others may be quicker each time
    for (int i = 0; i < tries && sync::look_for([&] { return watched.load() != seen || state_.phase.load() != QueueState::open; }); ++i) {
        seen = watched.load();
        if (attempt()) return true;
    }
    const PlaceInLine place(side.line, deadline);
    if (!place.in_time()) return false;
    for (;;) {
        seen = watched.load();
        side.bell.mark();
        if (attempt()) return true;
        if (deadline.has_passed()) return false;
        sleep_on(watched, seen, side.bell, state_.phase, deadline);
    }
}

namespace {

// Not to wait means not to wait for other callers to put or get; one who is at it is given a moment.
Deadline for_the_lock(Deadline deadline) {
    if (deadline.is_never()) return deadline;
    const Deadline soon(grace);
    return deadline.when() > soon.when() ? deadline : soon;
}

}  // namespace

// ---- putting -------------------------------------------------------------------------------------

void QueueCore::begin_put(std::uint64_t bytes, Deadline deadline) {
    if (state_.max_bytes != 0 && bytes > state_.max_bytes) {
        throw UsageError("an item of " + std::to_string(bytes) + " bytes never fits into a queue of at most " + std::to_string(state_.max_bytes) + " bytes");
    }
    const Deadline lock_deadline = for_the_lock(deadline);
    if (wait_in_line(state_.puts, position_of(state_.gets), deadline, [&] { return try_begin_put(bytes, lock_deadline); })) return;
    throw Full("the queue is full: " + std::to_string(size()) + " items are in it" +
               (state_.max_items != 0 ? " of at most " + std::to_string(state_.max_items) : std::string()) + ", and none was taken in time");
}

bool QueueCore::try_begin_put(std::uint64_t bytes, Deadline deadline) {
    require_open();
    auto& side = state_.puts;
    if (!take_side(side, deadline)) return false;
    try {
        require_open();
        follow_puts();
        put_index_ = side.index.load(std::memory_order_relaxed);
        if (is_within_limits(bytes)) {
            const std::uint32_t units = units_for(is_long(bytes) ? sizeof(BlockRecord) : bytes);
            if (has_room(units)) return true;
            if (may_grow()) {
                grow(units);
                return true;
            }
        }
    } catch (...) {
        end_put();
        throw;
    }
    end_put();
    return false;
}

void QueueCore::follow_puts() {
    auto& side = state_.puts;
    look_at(put_view_, side.ring.load(std::memory_order_relaxed));
    // Somebody was killed between making a ring and moving on to it.
    while (const std::uint32_t next = put_view_.ring->next.load()) {
        side.ring = next - 1;
        look_at(put_view_, next - 1);
    }
}

bool QueueCore::is_within_limits(std::uint64_t bytes) {
    auto& side = state_.puts;
    if (state_.max_items != 0 && put_index_.items - side.other.items >= state_.max_items) {
        side.other = state_.gets.index.load(std::memory_order_acquire);
        if (put_index_.items - side.other.items >= state_.max_items) return false;
    }
    if (state_.max_bytes == 0) return true;
    side.other = state_.gets.index.load(std::memory_order_acquire);
    if (put_index_ == side.other) return true;
    const std::uint64_t in_ring = std::uint64_t{put_index_.position - side.other.position} * unit;
    return in_ring + bytes_in_blocks() + bytes <= state_.max_bytes;
}

std::uint64_t QueueCore::bytes_in_blocks() const noexcept {
    std::uint64_t bytes = 0;
    for (std::uint32_t i = 0; i < blocks_.table().count; ++i) {
        if (i != state_.puts.ring && i != state_.gets.ring && blocks_[i].owner == Block::the_queue) bytes += blocks_[i].size;
    }
    return bytes;
}

// Free units of the ring of the puts, at its end and in all. A message lies in one piece.
bool QueueCore::has_room(std::uint32_t units) {
    const auto fits = [&] {
        const auto& ring = *put_view_.ring;
        const std::uint32_t oldest = static_cast<std::int32_t>(state_.puts.other.position - ring.start) < 0 ? ring.start : state_.puts.other.position;
        const std::uint32_t used = put_index_.position - oldest;
        const std::uint32_t at = (put_index_.position - ring.start) & (put_view_.capacity - 1);
        const std::uint32_t to_end = put_view_.capacity - at;
        return used + (units <= to_end ? units : to_end + units) <= put_view_.capacity;
    };
    if (fits()) return true;
    state_.puts.other = state_.gets.index.load(std::memory_order_acquire);
    return fits();
}

bool QueueCore::may_grow() const noexcept {
    return put_index_.position - state_.puts.other.position < largest_distance - 2 * std::uint64_t{put_view_.capacity} - 2 * longest_in_ring;
}

// Requires: nothing was added that is not committed.
void QueueCore::grow(std::uint32_t units) {
    const std::uint64_t wanted = std::max<std::uint64_t>(2 * std::uint64_t{put_view_.capacity}, std::bit_ceil(8 * std::uint64_t{units}));
    const std::uint32_t block = find_block(sizeof(Ring) + wanted * unit, Block::the_queue);
    if (block == Blocks::none) throw Error("the queue has " + std::to_string(BlockTable::most) + " blocks of memory in use: take items out first");
    auto* const ring = new (blocks_.address(block)) Ring;
    ring->capacity = static_cast<std::uint32_t>(wanted);
    ring->start = put_index_.position;
    put_view_.ring->next = block + 1;
    state_.puts.ring = block;
    look_at(put_view_, block);
}

std::byte* QueueCore::reserve(std::uint32_t units) {
    const auto record_at = [&](std::uint32_t at) { return reinterpret_cast<Record*>(put_view_.data + std::size_t{at} * unit); };
    std::uint32_t at = (put_index_.position - put_view_.ring->start) & (put_view_.capacity - 1);
    if (const std::uint32_t to_end = put_view_.capacity - at; units > to_end) {
        *record_at(at) = {to_end, Record::padding};
        put_index_.position += to_end;
        at = 0;
    }
    put_index_.position += units;
    ++put_index_.items;
    return put_view_.data + std::size_t{at} * unit;
}

std::byte* QueueCore::add(std::uint64_t bytes) {
    const std::uint32_t units = units_for(bytes);
    if (!is_within_limits(bytes) || !has_room(units)) return nullptr;
    std::byte* const place = reserve(units);
    *reinterpret_cast<Record*>(place) = {static_cast<std::uint32_t>(bytes), Record::message};
    return place + sizeof(Record);
}

bool QueueCore::add_block(std::uint32_t block, std::uint64_t bytes) {
    const std::uint32_t units = units_for(sizeof(BlockRecord));
    if (!has_room(units)) return false;
    std::byte* const place = reserve(units);
    *reinterpret_cast<Record*>(place) = {sizeof(BlockRecord), Record::block};
    *reinterpret_cast<BlockRecord*>(place + sizeof(Record)) = {bytes, block, 0};
    blocks_[block].owner = Block::the_queue;
    return true;
}

void QueueCore::commit_put() {
    const platform::WakesAtDeath pending(state_.gets.bell.word());
    state_.puts.index.store(put_index_);
    state_.gets.bell.ring(Home::process, position_of(state_.puts), 1);
}

void QueueCore::end_put() noexcept { state_.puts.lock.give_back(); }

std::uint32_t QueueCore::take_block(std::uint64_t bytes, Deadline deadline) {
    require_open();
    if (!take_side(state_.puts, for_the_lock(deadline))) throw Full("the queue is busy: another process stands still while it puts");
    std::uint32_t block = Blocks::none;
    try {
        block = find_block(bytes, sync::my_life());
    } catch (...) {
        end_put();
        throw;
    }
    end_put();
    if (block == Blocks::none) throw Full("the queue has " + std::to_string(BlockTable::most) + " long items in it or in use: take some out first");
    return block;
}

// Requires: the lock of the puts is held.
std::uint32_t QueueCore::find_block(std::uint64_t bytes, std::uint32_t owner) {
    std::uint32_t block = blocks_.find_free(bytes, false);
    if (block == Blocks::none) {
        sweep();
        block = blocks_.find_free(bytes, false);
    }
    if (block == Blocks::none) {
        try {
            block = blocks_.make(bytes, owner);
        } catch (const OsError&) {
            block = blocks_.find_free(bytes, true);  // wasteful, but it is there
            if (block == Blocks::none) throw;
        }
    }
    if (block != Blocks::none) blocks_[block].owner = owner;
    return block;
}

// Frees what the dead have left: blocks that they owned, or that they had given to the queue before they came to
// commit. Requires: the lock of the puts is held.
void QueueCore::sweep() {
    auto& table = blocks_.table();
    bool needed = state_.sweep != 0;
    for (std::uint32_t i = 0; i < table.count && !needed; ++i) {
        const std::uint32_t owner = blocks_[i].owner;
        needed = owner > Block::the_queue && sync::is_dead(owner);
    }
    if (!needed || !take_side(state_.gets, Deadline(grace))) return;
    std::array<bool, BlockTable::most> used{};
    std::uint32_t ring = state_.gets.ring;
    Index at = state_.gets.index;
    const Index end = state_.puts.index;
    View view;
    look_at(view, ring);
    used[ring] = true;
    for (;;) {
        if (const std::uint32_t next = view.ring->next; next != 0) {
            View next_view;
            look_at(next_view, next - 1);
            if (at.position == next_view.ring->start) {
                view = next_view;
                used[next - 1] = true;
                continue;
            }
        }
        if (at.position == end.position) break;
        const auto* const place = view.data + std::size_t{(at.position - view.ring->start) & (view.capacity - 1)} * unit;
        const auto record = *reinterpret_cast<const Record*>(place);
        if (record.kind == Record::block) used[reinterpret_cast<const BlockRecord*>(place + sizeof(Record))->block] = true;
        at.position += record.kind == Record::padding ? record.bytes : units_for(record.bytes);
    }
    state_.puts.ring = view.block;
    for (std::uint32_t i = 0; i < table.count; ++i) {
        const std::uint32_t owner = blocks_[i].owner;
        if (!used[i] && (owner == Block::the_queue || (owner != Block::nobody && sync::is_dead(owner)))) give_block(i);
    }
    state_.sweep = 0;
    end_get();
}

// ---- getting -------------------------------------------------------------------------------------

void QueueCore::begin_get(Deadline deadline) {
    const Deadline lock_deadline = for_the_lock(deadline);
    if (wait_in_line(state_.gets, position_of(state_.puts), deadline, [&] { return try_begin_get(lock_deadline); })) return;
    throw Empty("the queue is empty, and nothing was put in time");
}

bool QueueCore::try_begin_get(Deadline deadline) {
    const std::uint32_t phase = state_.phase.load();
    if (phase == QueueState::immediate) throw ShutDown("the queue was shut down at once: what was in it is gone");
    auto& side = state_.gets;
    if (position_of(state_.puts).load(std::memory_order_relaxed) == position_of(side).load(std::memory_order_relaxed) && phase == QueueState::open)
        return false;
    if (!take_side(side, deadline)) return false;
    get_index_ = side.index.load(std::memory_order_relaxed);
    try {
        follow_gets();
    } catch (...) {
        end_get();
        throw;
    }
    const std::uint32_t now_phase = state_.phase.load();
    const bool something = get_index_.position != side.other.position || get_index_.position != (side.other = state_.puts.index.load()).position;
    if (something && now_phase != QueueState::immediate) return true;
    end_get();
    // Read before the index: after it nothing can have been put.
    if (now_phase != QueueState::open) throw ShutDown("the queue was shut down, and all that was in it has been taken");
    return false;
}

// Requires: nothing was taken that is not committed.
void QueueCore::follow_gets() {
    auto& side = state_.gets;
    look_at(get_view_, side.ring.load(std::memory_order_relaxed));
    while (const std::uint32_t next = get_view_.ring->next.load(std::memory_order_acquire)) {
        View next_view;
        look_at(next_view, next - 1);
        if (get_index_.position != next_view.ring->start) return;
        const std::uint32_t old = get_view_.block;
        side.ring = next - 1;
        get_view_ = next_view;
        // If the puts have not moved on, somebody was killed there; who comes next still looks at the old one.
        if (state_.puts.ring.load() != old) {
            give_block(old);
        } else {
            state_.sweep = 1;
        }
    }
}

bool QueueCore::next(Message& message) {
    auto& side = state_.gets;
    for (;;) {
        if (get_index_.position == side.other.position) {
            side.other = state_.puts.index.load(std::memory_order_acquire);
            if (get_index_.position == side.other.position) return false;
        }
        if (const std::uint32_t next_block = get_view_.ring->next.load(std::memory_order_acquire)) {
            View next_view;
            look_at(next_view, next_block - 1);
            if (get_index_.position == next_view.ring->start) {
                if (get_index_ != side.index.load(std::memory_order_relaxed)) return false;  // first commit what was taken from the old one
                follow_gets();
            }
        }
        const std::uint32_t at = (get_index_.position - get_view_.ring->start) & (get_view_.capacity - 1);
        const std::byte* const place = get_view_.data + std::size_t{at} * unit;
        const auto record = *reinterpret_cast<const Record*>(place);
        if (record.kind == Record::padding) {
            get_index_.position += record.bytes;
            continue;
        }
        get_index_.position += units_for(record.bytes);
        ++get_index_.items;
        message = {{place + sizeof(Record), record.bytes}, Blocks::none};
        if (record.kind == Record::block) {
            const auto found = *reinterpret_cast<const BlockRecord*>(place + sizeof(Record));
            blocks_[found.block].owner = sync::my_life();
            message = {{blocks_.address(found.block), found.bytes}, found.block};
        }
        return true;
    }
}

void QueueCore::commit_get() {
    const platform::WakesAtDeath pending(state_.puts.bell.word());
    state_.gets.index.store(get_index_);
    state_.puts.bell.ring(Home::process, position_of(state_.gets), 1);
}

void QueueCore::end_get() noexcept { state_.gets.lock.give_back(); }

}  // namespace chorus::channel
