#include "channel/ring.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include <chorus/errors.hpp>
#include "platform/mapping.hpp"

namespace chorus::inline v0::detail::channel {
namespace {

constexpr std::uint64_t smallest_ring = 4096;
constexpr const char* endless_rings = "its rings follow each other round and round";

}  // namespace

// ---- rings and blocks ---------------------------------------------------------------------------

void Rings::make_first(std::uint64_t wanted_bytes) {
    const std::uint64_t bytes = std::clamp(wanted_bytes, smallest_ring, usual_ring);
    const std::uint32_t first = blocks.take(sizeof(Ring) + bytes, Block::a_ring);
    auto* const ring = new (blocks.bytes(first, sizeof(Ring) + bytes).data()) Ring;
    ring->capacity = static_cast<std::uint32_t>(bytes / unit);
}

void Rings::look_at(RingView& view, std::uint32_t block) {
    // Since this process looked it may have been free, and become a larger ring.
    if (view.ring != nullptr && view.block == block && view.copy == memory::copy_number() &&
        view.capacity == view.ring->capacity) [[likely]]
        return;
    const auto bytes = blocks.bytes(block, sizeof(Ring));
    auto* const ring = reinterpret_cast<Ring*>(bytes.data());
    const std::uint32_t capacity = ring->capacity;
    if (!std::has_single_bit(capacity) || std::uint64_t{capacity} * unit > bytes.size() - sizeof(Ring))
        queue.tell_of_damage("a ring of " + std::to_string(capacity) + " units is said to lie in " +
                             std::to_string(bytes.size()) + " bytes");
    view = {block, ring, bytes.data() + sizeof(Ring), capacity, memory::copy_number()};
}

std::optional<RingView> Rings::after(const RingView& view) {
    const std::uint32_t next = view.ring->next.load();
    if (next == 0) return std::nullopt;
    if (next - 1 == view.block) queue.tell_of_damage("a ring is said to follow itself");
    RingView found;
    look_at(found, next - 1);
    return found;
}

Record Rings::record_at(const RingView& view, Index at, std::uint32_t end) const {
    const std::uint32_t first = (at.position - view.ring->start) & (view.capacity - 1);
    const auto record = *reinterpret_cast<const Record*>(view.data + std::size_t{first} * unit);
    const std::uint32_t units = units_of(record);
    const std::uint32_t known = record.what & ~std::uint32_t{Record::retracted};
    const bool is_known =
        record.kind() <= Record::padding && known == Record::said(record.kind(), at.items + 1);
    const bool is_long_enough = record.kind() == Record::block ? record.bytes == sizeof(BlockRecord)
                                : record.kind() == Record::message_with_batch
                                    ? record.bytes >= sizeof(std::uint64_t)
                                    : true;
    if (is_known && is_long_enough && units != 0 && units <= view.capacity - first &&
        units <= end - at.position) [[likely]]
        return record;
    queue.tell_of_damage("at position " + std::to_string(at.position) + " message " +
                         std::to_string(at.items + 1) + " is expected, of at most " +
                         std::to_string(end - at.position) + " units, and " + std::to_string(record.what) +
                         " is there, of " + std::to_string(units));
}

std::uint32_t Rings::find_block(std::uint64_t bytes, std::uint32_t owner) {
    if (const std::uint32_t free = blocks.take_free(bytes, owner); free != Blocks::none) return free;
    sweep();
    return blocks.take(bytes, owner);
}

void Rings::sweep() {
    if (queue.state.sweep == 0 && !blocks.has_dead_owner()) return;
    const HeldSide gets(queue, queue.state.gets, Deadline(grace));
    if (!gets) return;
    blocks.free_left_over(find_used_blocks());
    queue.state.sweep = 0;
}

// Blocks that the queue refers to: its rings, and those of its long messages. Leaves the puts at the
// last ring. Requires: both locks are held.
std::vector<bool> Rings::find_used_blocks() {
    auto& state = queue.state;
    std::vector<bool> used(blocks.count());
    Index at = state.gets.index;
    const Index end = state.puts.index;
    queue.expect_order(end, at);
    RingView view;
    look_at(view, state.gets.ring);
    used.at(view.block) = true;
    for (;;) {
        if (const auto next = after(view);
            next && at.position == next->ring->start && !used.at(next->block)) {
            view = *next;
            used[view.block] = true;
            continue;
        }
        if (at.position == end.position) break;
        const auto record = record_at(view, at, end.position);
        if (record.kind() == Record::block) {
            const auto block =
                reinterpret_cast<const BlockRecord*>(view.place_of(at.position) + record_size)->block;
            if (block >= used.size())
                queue.tell_of_damage("an item is said to lie in block " + std::to_string(block));
            used[block] = true;
        }
        at.position += units_of(record);
        if (record.kind() != Record::padding) ++at.items;
    }
    state.puts.ring = view.block;
    return used;
}

bool Rings::retract(std::uint32_t position) {
    auto& state = queue.state;
    const HeldSide held(queue, state.gets, {});
    const Index index = under_lock(state.gets.index);
    const std::uint32_t waiting = state.puts.index.load().position - index.position;
    if (position - index.position >= waiting || state.phase.load() == QueueState::immediate) return false;
    RingView view;
    look_at(view, under_lock(state.gets.ring));
    std::uint32_t moves = 0;
    while (const auto next = after(view)) {
        if (static_cast<std::int32_t>(position - next->ring->start) < 0) break;
        if (++moves > BlockTable::most) queue.tell_of_damage(endless_rings);
        view = *next;
    }
    auto& record = *reinterpret_cast<Record*>(view.place_of(position));
    record.what |= Record::retracted;
    return true;
}

// ---- producers ----------------------------------------------------------------------------------

void RingWriter::begin() {
    rings_.look_at(view, under_lock(side().ring));
    // A process was killed between making a ring and moving on to it.
    std::uint32_t moves = 0;
    while (const auto next = rings_.after(view)) {
        if (++moves > BlockTable::most) rings_.queue.tell_of_damage(endless_rings);
        side().ring = next->block;
        view = *next;
    }
    index = under_lock(side().index);
}

bool RingWriter::is_within_limits(std::uint64_t bytes) {
    const auto& queue = rings_.queue;
    Index& gets = side().other;
    if (queue.max_items != 0 && index.items - gets.items >= queue.max_items) {
        gets = committed(queue.state.gets);
        if (index.items - gets.items >= queue.max_items) return false;
    }
    if (queue.max_bytes == 0) return true;
    gets = committed(queue.state.gets);
    if (index == gets) return true;
    if (is_within_bytes(index, bytes)) return true;
    if (queue.state.sweep == 0) return false;
    rings_.sweep();  // a process was killed: not all that lies there belongs to the queue
    return is_within_bytes(index, bytes);
}

bool RingWriter::make_room(std::uint64_t bytes) {
    const std::uint32_t units =
        units_for(bytes > longest_in_ring ? sizeof(BlockRecord) : bytes + sizeof batch);
    if (has_room(units)) return true;
    if (!may_grow()) return false;
    grow(units);
    return true;
}

// Free units of the ring, at its end and in all. A message lies in one piece.
bool RingWriter::has_room(std::uint32_t units) {
    const auto fits = [&] {
        const auto& ring = *view.ring;
        const std::uint32_t start = under_lock(ring.start);
        const std::uint32_t oldest =
            static_cast<std::int32_t>(side().other.position - start) < 0 ? start : side().other.position;
        const std::uint32_t used = index.position - oldest;
        const std::uint32_t at = (index.position - start) & (view.capacity - 1);
        const std::uint32_t to_end = view.capacity - at;
        return used + (units <= to_end ? units : to_end + units) <= view.capacity;
    };
    const bool is_from_an_older_ring = static_cast<std::int32_t>(side().other.position - view.ring->start) <
                                       0;  // the quick path needs it newer
    if (!is_from_an_older_ring && fits()) return true;
    side().other = committed(rings_.queue.state.gets);
    renew_start();
    return fits();
}

// Positions wrap: before a ring is so old that its start could be taken for a later one, the start
// moves on by whole rounds. Only when the gets work in this ring too, so that no process compares the
// start with a position any more.
void RingWriter::renew_start() noexcept {
    auto& ring = *view.ring;
    const std::uint32_t start = under_lock(ring.start);
    if (index.position - start < largest_distance / 4 || rings_.queue.state.gets.ring.load() != view.block)
        return;
    ring.start = start + ((side().other.position - start) & ~(view.capacity - 1));
}

bool RingWriter::may_grow() const noexcept {
    return index.position - side().other.position + 2 * std::uint64_t{view.capacity} + 2 * longest_in_ring <
           largest_distance;
}

// Damaged if the queue says that there is more in it than its file holds: to make room for that could
// take all memory.
void RingWriter::grow(std::uint32_t units) {
    const auto& queue = rings_.queue;
    const std::uint64_t in_queue = std::uint64_t{index.position - side().other.position} * unit;
    if (in_queue > platform::file_size(queue.region->descriptor()))
        queue.tell_of_damage(std::to_string(in_queue) +
                             " bytes are said to be in it, which its memory cannot hold");
    const std::uint64_t wanted =
        std::max<std::uint64_t>(2 * std::uint64_t{view.capacity}, std::bit_ceil(8 * std::uint64_t{units}));
    const std::uint64_t size = sizeof(Ring) + wanted * unit;
    const std::uint32_t block = rings_.find_block(size, Block::a_ring);
    if (block == Blocks::none)
        throw Error("the queue has " + std::to_string(BlockTable::most) +
                    " blocks of memory in use: take items out first");
    auto* const ring = new (rings_.blocks.bytes(block, size).data()) Ring;
    ring->capacity = static_cast<std::uint32_t>(wanted);
    ring->start = index.position;
    view.ring->next = block + 1;
    side().ring = block;
    rings_.look_at(view, block);
}

std::byte* RingWriter::reserve(std::uint32_t units) {
    std::uint32_t at = (index.position - view.ring->start) & (view.capacity - 1);
    const std::uint32_t to_end = view.capacity - at;
    if (units > to_end) {
        *reinterpret_cast<Record*>(view.data + std::size_t{at} * unit) = {
            to_end, Record::said(Record::padding, index.items + 1)};
        index.position += to_end;
        at = 0;
    }
    last_position = index.position;
    index.position += units;
    ++index.items;
    return view.data + std::size_t{at} * unit;
}

std::byte* RingWriter::add(std::uint64_t bytes) {
    const std::uint64_t in_front = batch == 0 ? 0 : sizeof batch;
    const std::uint32_t units = units_for(in_front + bytes);
    if (!is_within_limits(bytes) || !has_room(units)) return nullptr;
    std::byte* const place = reserve(units);
    *reinterpret_cast<Record*>(place) = {
        static_cast<std::uint32_t>(in_front + bytes),
        Record::said(batch == 0 ? Record::message : Record::message_with_batch, index.items)};
    if (batch != 0) std::memcpy(place + record_size, &batch, sizeof batch);
    return place + record_size + in_front;
}

bool RingWriter::add_block(std::uint32_t block, std::uint64_t bytes) {
    const std::uint32_t units = units_for(sizeof(BlockRecord));
    if (!has_room(units)) return false;
    std::byte* const place = reserve(units);
    *reinterpret_cast<Record*>(place) = {sizeof(BlockRecord), Record::said(Record::block, index.items)};
    *reinterpret_cast<BlockRecord*>(place + record_size) = {bytes, block, 0, batch};
    rings_.blocks[block].owner = Block::the_queue;
    return true;
}

// ---- consumers ----------------------------------------------------------------------------------

void RingReader::begin() {
    index = under_lock(side().index);
    follow();
}

// Requires: nothing was taken that is not committed.
void RingReader::follow() {
    rings_.look_at(view, under_lock(side().ring));
    std::uint32_t moves = 0;
    while (const auto next = rings_.after(view)) {
        if (index.position != next->ring->start) return;
        if (++moves > BlockTable::most) rings_.queue.tell_of_damage(endless_rings);
        const std::uint32_t old = view.block;
        side().ring = next->block;
        view = *next;
        // If the puts have not moved on, a producer was killed there; the next one still looks at the
        // old ring.
        if (rings_.queue.state.puts.ring.load() != old) {
            rings_.blocks.free(old);
        } else {
            rings_.queue.state.sweep = 1;
        }
    }
}

bool RingReader::next(Message& message) {
    for (;;) {
        if (index.position == side().other.position) {
            side().other = committed(rings_.queue.state.puts);
            if (index.position == side().other.position) return false;
        }
        if (const auto next = rings_.after(view); next && index.position == next->ring->start) {
            if (index != under_lock(side().index))
                return false;  // first commit what was taken from the old one
            follow();
        }
        const std::byte* const place = view.place_of(index.position);
        const auto record = rings_.record_at(view, index, side().other.position);
        if (record.kind() == Record::padding) {
            index.position += record.bytes;
            continue;
        }
        message = {{place + record_size, record.bytes}, Blocks::none, 0, record.is_retracted()};
        if (record.kind() == Record::message_with_batch) {
            std::memcpy(&message.batch, message.bytes.data(), sizeof message.batch);
            message.bytes = message.bytes.subspan(sizeof message.batch);
        } else if (record.kind() == Record::block) {
            const auto found = *reinterpret_cast<const BlockRecord*>(place + record_size);
            message = {rings_.blocks.bytes(found.block, found.bytes).first(found.bytes), found.block,
                       found.batch, message.retracted};
            rings_.blocks[found.block].owner = Block::this_process();
        }
        index.position += units_of(record);
        ++index.items;
        return true;
    }
}

}  // namespace chorus::inline v0::detail::channel
