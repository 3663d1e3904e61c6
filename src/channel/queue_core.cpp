#include "channel/queue_core.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstring>
#include <map>
#include <mutex>

#include <chorus/detail/message/encoding.hpp>
#include <chorus/errors.hpp>
#include "memory/damage.hpp"
#include "platform/fork_mutex.hpp"
#include "platform/patience.hpp"
#include "trace/trace.hpp"

namespace chorus::inline v0::detail::channel {

/// Layout: at the start of a block; its messages follow. Writers: who makes it; `next` who makes the next
/// one, once: that is the commit by which it takes over.
struct alignas(64) QueueCore::Ring {
    std::uint32_t capacity = 0;  ///< units, a power of two
    sync::Word start{
        0};  ///< a position of its first unit; of the last ring, now and then a later one (renew_start)
    sync::Word next{0};  ///< the block of the ring that took over, plus 1
};

/// In front of each message in a ring. It bears the number of its message: so what was left there from an
/// earlier round, or written over, is not taken for the next one.
struct QueueCore::Record {
    enum Kind : std::uint32_t {
        message,
        message_with_parcel,
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

namespace {

/// What a record of the kind `block` says.
struct BlockRecord {
    std::uint64_t bytes = 0;
    std::uint32_t block = 0;
    std::uint32_t unused = 0;
    std::uint64_t parcel = 0;
};

constexpr std::uint64_t record_size = 8;  // of a Record
constexpr std::size_t page = platform::page_size;
constexpr std::size_t table_offset = page;
static_assert(state_offset + sizeof(QueueState) <= table_offset && table_offset <= bytes_in_sight);
constexpr std::uint64_t smallest_ring = 4096;
constexpr std::uint64_t usual_ring = 64 * 1024;
constexpr std::uint64_t largest_distance = 1U << 31;

// How long a call that shall not wait lets another one finish what it is doing under the lock.
constexpr auto grace = std::chrono::milliseconds(10);

// The half of the index that changes with each commit: what the other side sleeps on.
const sync::Word& position_of(const Side& side) {
    return *std::launder(static_cast<const sync::Word*>(static_cast<const void*>(&side.index)));
}

std::uint32_t units_for(std::uint64_t bytes) { return static_cast<std::uint32_t>(1 + (bytes + 7) / 8); }

constexpr std::uint64_t bell_number = 0;  // of a parcel that is none

std::span<const std::byte> as_bytes(const std::uint64_t& number) {
    return std::as_bytes(std::span(&number, 1));
}

// O1: of a word that is written under the lock of a side, which the caller holds.
template <class T>
T under_lock(const std::atomic<T>& word) noexcept {
    return word.load(std::memory_order_relaxed);
}

// O2: how far the other side has come.
Index committed(const Side& other) noexcept { return other.index.load(std::memory_order_acquire); }

class PlaceInLine {
public:
    PlaceInLine(platform::RobustMutex& line, Deadline deadline)
        : line_(line), in_time_(line.lock(deadline)) {}
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

// Gives a side's lock back at the end of a scope.
class TakenSide {
public:
    explicit TakenSide(Side& side) noexcept : side_(side) {}
    ~TakenSide() { side_.lock.give_back(); }
    TakenSide(const TakenSide&) = delete;
    TakenSide& operator=(const TakenSide&) = delete;

private:
    Side& side_;
};

// Sleeps while the word, the bell and the phase stay as they are. The system looks at them one by one, and
// begins to wait on each as it goes: the bell comes before the word, so that who changes the word and is
// killed before it rings finds the sleeper on the bell, or the sleeper finds the word changed. What they held
// was read before the caller looked for the last time: or it could miss a change and sleep on it.
void sleep_on(const sync::Word& watched, std::uint32_t seen, const sync::Bell& bell, sync::Word& phase,
              std::uint32_t before, Deadline deadline) {
    sync::require_somebody_else(Sharing::processes, deadline);
    const platform::WakesAtDeath handed_on(phase);
    const std::array<platform::WordHolds, 3> words{
        {{&bell.word(), sync::Bell::marked}, {&phase, before}, {&watched, seen}}};
    platform::shared_futex_wait_on_all(words, deadline);
    // Who shuts down and is killed has had one sleeper woken, who wakes the rest.
    if (phase.load() != before) platform::shared_futex_wake_all(phase);
}

}  // namespace

// ---- made, sent, received ------------------------------------------------------------------------

namespace {

// What this process holds already is not opened again.
struct Cores {
    platform::ForkMutex mutex;
    std::map<std::pair<std::uint64_t, bool>, std::weak_ptr<QueueCore>>
        by_region;  ///< and whether it is a pipe's end that gets
};
Cores& cores() {
    static auto* const instance = new Cores;
    return *instance;
}
// Before main: a fork while another thread makes it would leave a copy that waits for ever.
[[maybe_unused]] auto& cores_made = cores();

std::shared_ptr<memory::Region> make_region(std::uint64_t type, std::uint64_t max_items,
                                            std::uint64_t max_bytes) {
    sync::shared_runtime();  // before a plain fork(): copies that each made their own would take each other
                             // for themselves
    auto region = memory::Region::create_sparse(queue_label, table_offset + sizeof(BlockTable) - state_offset,
                                                table_offset + page);
    auto* const state = new (region->data() + state_offset) QueueState;
    state->type = type;
    state->max_items = max_items;
    state->max_bytes = max_bytes;
    for (Side* side : {&state->puts, &state->gets}) {
        side->lock.initialise(Sharing::processes, false);
    }
    // All zero already, and most of it has no memory yet.
    auto* const table = std::launder(reinterpret_cast<BlockTable*>(region->data() + table_offset));
    table->table_ready = page - (sizeof(BlockTable) - sizeof table->blocks);
    return region;
}

}  // namespace

std::shared_ptr<QueueCore> QueueCore::create(std::uint64_t type, const std::string& type_name,
                                             QueueLimits limits, QueueTrace trace) {
    const std::uint64_t max_items = limits.max_items;
    if (max_items >= largest_distance)
        throw UsageError("a queue holds at most 2147483647 items, asked for " + std::to_string(max_items));
    auto core = std::make_shared<QueueCore>(make_region(type, max_items, limits.max_bytes),
                                            Sockets{platform::make_mailbox(), {}}, type_name, trace);
    core->make_first_ring(max_items == 0 ? usual_ring : std::bit_ceil(max_items * 64));
    core->remember(core);
    return core;
}

QueueCore::Ends QueueCore::create_pipe(std::uint64_t max_bytes) {
    auto sockets = platform::make_message_sockets();
    auto region = make_region(0, 0, max_bytes);
    Ends ends{std::make_shared<QueueCore>(region, Sockets{std::move(sockets.first), {}}, ""),
              std::make_shared<QueueCore>(region, Sockets{{}, std::move(sockets.second)}, "")};
    ends.puts->make_first_ring(usual_ring);
    ends.puts->remember(ends.puts);
    ends.gets->remember(ends.gets);
    return ends;
}

void QueueCore::make_first_ring(std::uint64_t wanted) {
    const std::uint64_t bytes = std::clamp(wanted, smallest_ring, usual_ring);
    const std::uint32_t first = blocks_.make(sizeof(Ring) + bytes, Block::a_ring);
    auto* const ring = new (blocks_.bytes(first, sizeof(Ring) + bytes).data()) Ring;
    ring->capacity = static_cast<std::uint32_t>(bytes / unit);
}

void QueueCore::remember(const std::shared_ptr<QueueCore>& core) {
    auto& here = cores();
    const std::lock_guard guard(here.mutex);
    here.by_region[{core->region_->name(), core->gets_only()}] = core;
}

QueueCore::QueueCore(std::shared_ptr<memory::Region> region, Sockets sockets, std::string type_name,
                     QueueTrace trace)
    : region_(std::move(region)),
      sockets_(std::move(sockets)),
      state_(*std::launder(reinterpret_cast<QueueState*>(region_->data() + state_offset))),
      is_pipe_(state_.type == 0),
      max_items_(state_.max_items),
      max_bytes_(state_.max_bytes),
      type_name_(std::move(type_name)),
      trace_(trace),
      blocks_(region_, table_offset) {}

QueueCore::~QueueCore() {
    if (gets_only()) depart();
    auto& here = cores();
    const std::lock_guard guard(here.mutex);
    const auto found = here.by_region.find({region_->name(), gets_only()});
    if (found != here.by_region.end() && found->second.expired()) here.by_region.erase(found);
}

void QueueCore::write(message::Writer& out, const QueueCore& core) {
    memory::write_place(out, {core.region_, state_offset});
    out.write_raw(core.gets_only());
    // A name of its own, next to that of the region.
    const int socket = core.gets_only() ? core.sockets_.of_gets() : core.sockets_.of_puts();
    out.write_raw(static_cast<std::uint32_t>(
        out.attach(socket, ~core.region_->name() ^ (core.gets_only() ? 1U : 0U) << 8)));
}

std::shared_ptr<QueueCore> QueueCore::read(message::Reader& in, std::uint64_t type,
                                           const std::string& type_name, QueueTrace trace) {
    const auto place = memory::read_place(in, sizeof(QueueState));
    const bool gets_only = message::decode<bool>(in);
    const auto number = in.read_raw<std::uint32_t>();
    if (place.offset != state_offset || place.region->size() < table_offset + sizeof(BlockTable)) {
        throw DecodeError("message damaged: no queue lies where it says");
    }
    const auto& state =
        *std::launder(reinterpret_cast<const QueueState*>(place.region->data() + state_offset));
    if (state.layout != QueueState::current_layout)
        throw DecodeError("message damaged: no queue lies where it says");
    if (state.type != type)
        throw TypeMismatch("the queue that came holds items of another type than " + type_name);
    auto& here = cores();
    std::shared_ptr<QueueCore> core;
    const std::lock_guard guard(here.mutex);
    auto& known = here.by_region[{place.region->name(), gets_only}];
    core = known.lock();
    if (core) return core;
    platform::FileDescriptor socket(in.attachments() == nullptr ? -1 : in.attachments()->take(number));
    if (!socket) throw DecodeError("message damaged: a queue or pipe came without its socket");
    core = std::make_shared<QueueCore>(
        place.region, gets_only ? Sockets{{}, std::move(socket)} : Sockets{std::move(socket), {}}, type_name,
        trace);
    known = core;
    return core;
}

// ---- how many ------------------------------------------------------------------------------------

std::uint64_t QueueCore::size() const noexcept {
    if (state_.phase.load() == QueueState::immediate) return 0;
    for (;;) {
        const Index puts = state_.puts.index.load();
        const Index gets = state_.gets.index.load();
        if (puts == state_.puts.index.load())
            return puts.items - gets.items;  // at the moment when gets was read
    }
}

bool QueueCore::full() const noexcept { return max_items_ != 0 && size() >= max_items_; }

// `done` was looked at first: both counts only grow, so nothing is taken for done that was put since. Where
// it has not changed afterwards, it was so when the other count was read.
std::uint32_t QueueCore::unfinished(std::uint32_t done) const noexcept {
    // Thrown away with all that was in the queue: only what was taken is still to be done.
    const bool dropped = state_.phase.load() == QueueState::immediate;
    const std::uint32_t items = (dropped ? state_.gets : state_.puts).index.load().items - done;
    // Some of what was dropped may have been said to be done before.
    return dropped && static_cast<std::int32_t>(items) < 0 ? 0 : items;
}

void QueueCore::task_done() {
    std::uint32_t done = state_.done.load();
    const sync::TellsInDeath pending(Sharing::processes, state_.all_done.word());
    do {
        if (unfinished(done) == 0)
            throw UsageError(
                "task_done() was called more often than items were put: call it once for each item taken");
    } while (!state_.done.compare_exchange_strong(done, done + 1));
    if (unfinished(done + 1) == 0) state_.all_done.ring_all(Sharing::processes);
}

bool QueueCore::join(Deadline deadline) {
    const auto all_done = [&] { return unfinished(state_.done.load()) == 0; };
    if (all_done() || sync::spin_until(all_done)) return true;
    trace::Wait wait(name_of(Call::join));
    for (;;) {
        const std::uint32_t seen = state_.done.load();
        const std::uint32_t phase = state_.phase.load();
        state_.all_done.mark();
        if (all_done()) break;
        if (deadline.has_passed()) return false;
        wait.begins();
        sleep_on(state_.done, seen, state_.all_done, state_.phase, phase, deadline);
    }
    state_.all_done.ring_all(Sharing::processes);
    return true;
}

void QueueCore::shut_down(bool immediately) {
    take_side(state_.puts, {});  // nobody is half-way through a put
    ring_box(state_.gets.box, sockets_.of_puts());
    {
        const platform::WakesAtDeath pending(state_.phase);
        state_.phase.fetch_or(immediately ? QueueState::immediate : QueueState::draining);
        platform::shared_futex_wake_all(state_.phase);
    }
    state_.puts.lock.give_back();
}

void QueueCore::give_up() noexcept {
    const platform::WakesAtDeath pending(state_.phase);
    state_.phase = QueueState::immediate;
    platform::shared_futex_wake_all(state_.phase);
    // Who has come to sleep on the bells hears it too.
    state_.puts.bell.ring_all(Sharing::processes);
    state_.gets.bell.ring_all(Sharing::processes);
}

void QueueCore::tell_of_damage(const std::string& found) const {
    memory::throw_damaged(is_pipe_ ? "a pipe" : "a queue of " + type_name_, found);
}

std::uint32_t QueueCore::phase() const {
    const std::uint32_t phase = state_.phase.load();
    if (phase != QueueState::open && phase != QueueState::draining && phase != QueueState::immediate)
        tell_of_damage("it is neither open nor shut down, but " + std::to_string(phase));
    return phase;
}

// Throws: Damaged if what was got was never put, or more is there than there can be.
void QueueCore::expect_order(Index puts, Index gets) const {
    const std::uint32_t units = puts.position - gets.position;
    const std::uint32_t items = puts.items - gets.items;
    if (units <= largest_distance && items <= units) return;
    tell_of_damage(std::to_string(items) + " items in " + std::to_string(units) +
                   " units are said to be in it");
}

void QueueCore::require_open() const {
    if (phase() != QueueState::open) throw ShutDown("the queue was shut down: nothing more can be put");
}

// ---- the sides -----------------------------------------------------------------------------------

bool QueueCore::take_side(Side& side, Deadline deadline) {
    const auto taken = side.lock.take(deadline);
    if (taken == sync::LockState::Taken::cleanly) [[likely]]
        return true;
    if (taken == sync::LockState::Taken::damaged)
        tell_of_damage("the owner in its lock word is no participant that ever lived");
    if (taken == sync::LockState::Taken::after_owner_died) recover_side(side);
    return taken != sync::LockState::Taken::not_in_time;
}

void QueueCore::recover_side(Side& side) {
    state_.sweep = 1;
    side.lock.trust_again();
    // It may have rung and not said so, or said that it is about to: who waits is rung for once more.
    Side& other = &side == &state_.puts ? state_.gets : state_.puts;
    const bool is_puts = &side == &state_.puts;
    const int socket = is_puts ? sockets_.of_puts() : is_pipe_ && !sockets_.gets ? -1 : sockets_.of_gets();
    // A pipe's sending end cannot ring for itself: the next one who receives does.
    other.box.filled = socket >= 0 ? 1 : 0;
    if (socket >= 0) platform::post(socket, as_bytes(bell_number));
}

// Commits, gives the lock back, and wakes who waits on the other side. The system is told before the commit
// whom to wake if this thread is killed.
void QueueCore::finish(Side& side, Side& other, Index index) {
    const platform::WakesAtDeath pending(other.bell.word());
    side.index.store(index, std::memory_order_release);  // O2, O4
    if (side.lock.give_back_if_unwanted(sync::this_participant())) [[likely]] {
        other.bell.ring(Sharing::processes, 1);
        return;
    }
    side.index.store(index);  // once more, in the order that the exchange would have given it
    other.bell.ring(Sharing::processes, 1);
    side.lock.give_back();
}

// Null for waits that a trace does not show.
const char* QueueCore::name_of(Call call) const noexcept {
    if (trace_.is_internal) return call == Call::get ? trace_.waits_to_get : nullptr;
    switch (call) {
        case Call::put: return is_pipe_ ? "Connection.send" : "Queue.put";
        case Call::get: return is_pipe_ ? "Connection.recv" : "Queue.get";
        case Call::join: return "Queue.join";
        case Call::poll: return "Connection.poll";
    }
    return nullptr;
}

// What is about to be committed. Requires: the side's lock is held; it all lies in this ring.
void QueueCore::trace_messages(Call call, const View& view, Index from, Index to) const {
    if (trace_.is_internal) return;
    std::uint64_t bytes = 0;
    for (Index at = from; at.position != to.position;) {
        const auto record = record_at(view, at, to.position);
        at.position += units_of(record);
        if (record.kind() == Record::padding) continue;
        ++at.items;
        bytes += record.kind() == Record::block
                     ? reinterpret_cast<const BlockRecord*>(place_of(view, at.position - units_of(record)) +
                                                            record_size)
                           ->bytes
                     : record.bytes;
    }
    trace::instant(trace::Kind::message, call == Call::put ? "put" : "got",
                   {{"queue", static_cast<std::int64_t>(region_->name() & ((std::uint64_t{1} << 52) - 1))},
                    {"first", static_cast<std::int64_t>(from.items) + 1},
                    {"items", static_cast<std::int64_t>(to.items - from.items)},
                    {"bytes", static_cast<std::int64_t>(bytes)}});
}

void QueueCore::look_at(View& view, std::uint32_t block) {
    // Since we looked it may have been free, and become a larger ring.
    if (view.ring != nullptr && view.block == block && view.copy == memory::copy_number() &&
        view.capacity == view.ring->capacity) [[likely]]
        return;
    const auto bytes = blocks_.bytes(block, sizeof(Ring));
    auto* const ring = reinterpret_cast<Ring*>(bytes.data());
    const std::uint32_t capacity = ring->capacity;
    if (!std::has_single_bit(capacity) || std::uint64_t{capacity} * unit > bytes.size() - sizeof(Ring))
        tell_of_damage("a ring of " + std::to_string(capacity) + " units is said to lie in " +
                       std::to_string(bytes.size()) + " bytes");
    view = {block, ring, bytes.data() + sizeof(Ring), capacity, memory::copy_number()};
}

// The ring that took over from this one, if one did.
std::optional<QueueCore::View> QueueCore::after(const View& view) {
    const std::uint32_t next = view.ring->next.load();
    if (next == 0) return std::nullopt;
    if (next - 1 == view.block) tell_of_damage("a ring is said to follow itself");
    View found;
    look_at(found, next - 1);
    return found;
}

const std::byte* QueueCore::place_of(const View& view, std::uint32_t position) const noexcept {
    return view.data + std::size_t{(position - view.ring->start) & (view.capacity - 1)} * unit;
}

std::uint32_t QueueCore::units_of(const Record& record) noexcept {
    return record.kind() == Record::padding ? record.bytes : units_for(record.bytes);
}

// What lies there, or Damaged. `at` counts the items before it; nothing was put behind `end`.
QueueCore::Record QueueCore::record_at(const View& view, Index at, std::uint32_t end) const {
    const std::uint32_t first = (at.position - view.ring->start) & (view.capacity - 1);
    const auto record = *reinterpret_cast<const Record*>(view.data + std::size_t{first} * unit);
    const std::uint32_t units = units_of(record);
    const std::uint32_t known = record.what & ~std::uint32_t{Record::retracted};
    const bool is_known =
        record.kind() <= Record::padding && known == Record::said(record.kind(), at.items + 1);
    const bool is_long_enough = record.kind() == Record::block ? record.bytes == sizeof(BlockRecord)
                                : record.kind() == Record::message_with_parcel
                                    ? record.bytes >= sizeof(std::uint64_t)
                                    : true;
    if (is_known && is_long_enough && units != 0 && units <= view.capacity - first &&
        units <= end - at.position) [[likely]]
        return record;
    tell_of_damage("at position " + std::to_string(at.position) + " message " + std::to_string(at.items + 1) +
                   " is expected, of at most " + std::to_string(end - at.position) + " units, and " +
                   std::to_string(record.what) + " is there, of " + std::to_string(units));
}

// Waits in line until the attempt, which takes the side's lock, succeeds.
template <class Attempt>
bool QueueCore::wait_in_line(const char* call, Side& side, const sync::Word& watched, Deadline deadline,
                             Attempt attempt) {
    std::uint32_t seen = watched.load();
    if (attempt()) return true;
    if (deadline.has_passed()) return false;
    constexpr int tries = 4;  // others may be quicker each time
    for (int i = 0; i < tries && sync::spin_until([&] {
                        return watched.load() != seen || state_.phase.load() != QueueState::open;
                    });
         ++i) {
        seen = watched.load();
        if (attempt()) return true;
    }
    trace::Wait wait(call);
    wait.begins();
    const PlaceInLine place(side.line, deadline);
    if (!place.in_time()) return false;
    for (;;) {
        seen = watched.load();
        const std::uint32_t phase = state_.phase.load();
        side.bell.mark();
        if (attempt()) return true;
        if (deadline.has_passed()) return false;
        sleep_on(watched, seen, side.bell, state_.phase, phase, deadline);
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

// Whether this process knows the ring in which the side works, and it is the last one.
bool QueueCore::is_in_view(const View& view, const Side& side) const noexcept {
    return view.ring != nullptr && view.block == under_lock(side.ring) &&
           view.copy == memory::copy_number() && view.capacity == view.ring->capacity &&
           view.ring->next.load(std::memory_order_acquire) == 0;  // O3
}

// ---- putting -------------------------------------------------------------------------------------

std::byte* QueueCore::begin_put_quickly(std::uint64_t bytes) noexcept {
    auto& side = state_.puts;
    if (is_long(bytes) || !side.lock.take_if_free(sync::participant_of_this_thread)) return nullptr;
    if (is_in_view(put_view_, side) && state_.phase.load() == QueueState::open &&
        (!is_pipe_ || has_receiver())) [[likely]] {
        const std::uint32_t start = put_view_.ring->start;
        const std::uint32_t capacity = put_view_.capacity;
        const std::uint32_t units = units_for(bytes);
        const Index index = under_lock(side.index);
        const std::uint32_t at = (index.position - start) & (capacity - 1);
        // What was seen of the gets may be out of date: then it is the long way that looks again.
        const bool is_room = static_cast<std::int32_t>(side.other.position - start) >= 0 &&
                             index.position - side.other.position + units <= capacity &&
                             units <= capacity - at &&
                             (max_items_ == 0 || index.items - side.other.items < max_items_) &&
                             (max_bytes_ == 0 || is_within_bytes(index, bytes));
        if (is_room) [[likely]] {
            parcel_ = 0;
            put_at_ = index.position;
            put_index_ = {index.position + units, index.items + 1};
            std::byte* const place = put_view_.data + std::size_t{at} * unit;
            *reinterpret_cast<Record*>(place) = {static_cast<std::uint32_t>(bytes),
                                                 Record::said(Record::message, put_index_.items)};
            return place + record_size;
        }
    }
    end_put();
    return nullptr;
}

bool QueueCore::begin_put(std::uint64_t bytes, Deadline deadline,
                          std::span<const message::Attachment> attachments) {
    if (!is_pipe() && max_bytes_ != 0 && bytes > max_bytes_) {  // through a pipe it goes alone
        throw UsageError("an item of " + std::to_string(bytes) +
                         " bytes never fits into a queue of at most " + std::to_string(max_bytes_) +
                         " bytes");
    }
    const Deadline lock_deadline = for_the_lock(deadline);
    const auto attempt = [&] { return try_begin_put(bytes, lock_deadline, attachments); };
    const auto& watched = position_of(state_.gets);
    const bool begun =
        is_pipe() ? wait_by_descriptor(name_of(Call::put), watched, sockets_.of_puts(), deadline, attempt,
                                       [&] { return has_room_or_will_ring(bytes, deadline); })
                  : wait_in_line(name_of(Call::put), state_.puts, watched, deadline, attempt);
    if (!begun && is_pipe() && is_hung_up(sockets_.of_puts()))
        throw BrokenPipe("the pipe's other end is closed: nobody is left to receive");
    return begun;
}

void QueueCore::throw_full() const {
    if (socket_is_full_ && !full()) {
        throw Full("the queue holds " + std::to_string(size()) +
                   " items, and the system keeps no more descriptors under way: take some out first");
    }
    if (is_pipe())
        throw Full("the pipe holds " + std::to_string(size()) + " messages, and none was received in time");
    throw Full("the queue is full: " + std::to_string(size()) + " items are in it" +
               (max_items_ != 0 ? " of at most " + std::to_string(max_items_) : std::string()) +
               ", and none was taken in time");
}

bool QueueCore::try_begin_put(std::uint64_t bytes, Deadline deadline,
                              std::span<const message::Attachment> attachments) {
    require_open();
    auto& side = state_.puts;
    if (!take_side(side, deadline)) return false;
    try {
        require_open();
        if (is_pipe()) require_receiver();
        follow_puts();
        put_index_ = under_lock(side.index);
        expect_order(put_index_, state_.gets.index.load());
        if (is_within_limits(bytes)) {
            const std::uint32_t units =
                units_for(is_long(bytes) ? sizeof(BlockRecord) : bytes + sizeof(parcel_));
            bool room = has_room(units);
            if (!room && may_grow()) {
                grow(units);
                room = true;
            }
            if (room && enclose(attachments)) return true;
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
    look_at(put_view_, under_lock(side.ring));
    // Somebody was killed between making a ring and moving on to it.
    std::uint32_t moves = 0;
    while (const auto next = after(put_view_)) {
        if (++moves > BlockTable::most) tell_of_damage("its rings follow each other round and round");
        side.ring = next->block;
        put_view_ = *next;
    }
}

bool QueueCore::is_within_limits(std::uint64_t bytes) {
    auto& side = state_.puts;
    if (max_items_ != 0 && put_index_.items - side.other.items >= max_items_) {
        side.other = committed(state_.gets);
        if (put_index_.items - side.other.items >= max_items_) return false;
    }
    if (max_bytes_ == 0) return true;
    side.other = committed(state_.gets);
    if (put_index_ == side.other) return true;
    if (is_within_bytes(put_index_, bytes)) return true;
    if (state_.sweep == 0) return false;
    sweep();  // somebody was killed: not all that lies there belongs to the queue
    return is_within_bytes(put_index_, bytes);
}

bool QueueCore::is_within_bytes(Index index, std::uint64_t bytes) const noexcept {
    const std::uint64_t in_ring = std::uint64_t{index.position - state_.puts.other.position} * unit;
    return in_ring + bytes_in_blocks() + bytes <= max_bytes_;
}

std::uint64_t QueueCore::bytes_in_blocks() const noexcept {
    std::uint64_t bytes = 0;
    const std::uint32_t count = blocks_.count();
    for (std::uint32_t i = 0; i < count; ++i) {
        if (blocks_[i].owner == Block::the_queue) bytes += blocks_[i].size;
    }
    return bytes;
}

// Free units of the ring of the puts, at its end and in all. A message lies in one piece.
bool QueueCore::has_room(std::uint32_t units) {
    const auto fits = [&] {
        const auto& ring = *put_view_.ring;
        const std::uint32_t start = under_lock(ring.start);
        const std::uint32_t oldest = static_cast<std::int32_t>(state_.puts.other.position - start) < 0
                                         ? start
                                         : state_.puts.other.position;
        const std::uint32_t used = put_index_.position - oldest;
        const std::uint32_t at = (put_index_.position - start) & (put_view_.capacity - 1);
        const std::uint32_t to_end = put_view_.capacity - at;
        return used + (units <= to_end ? units : to_end + units) <= put_view_.capacity;
    };
    const bool is_from_an_older_ring =
        static_cast<std::int32_t>(state_.puts.other.position - put_view_.ring->start) <
        0;  // the quick way needs it newer
    if (!is_from_an_older_ring && fits()) return true;
    state_.puts.other = committed(state_.gets);
    renew_start();
    return fits();
}

// Positions wrap: before a ring is so old that its start could be taken for a later one, the start moves on
// by whole rounds. Only when the gets work in this ring too, so that nobody compares the start with a
// position any more.
void QueueCore::renew_start() noexcept {
    auto& ring = *put_view_.ring;
    const std::uint32_t start = under_lock(ring.start);
    if (put_index_.position - start < largest_distance / 4 || state_.gets.ring.load() != put_view_.block)
        return;
    ring.start = start + ((state_.puts.other.position - start) & ~(put_view_.capacity - 1));
}

bool QueueCore::may_grow() const noexcept {
    return put_index_.position - state_.puts.other.position + 2 * std::uint64_t{put_view_.capacity} +
               2 * longest_in_ring <
           largest_distance;
}

// Requires: nothing was added that is not committed. Throws: Damaged if the queue says that there is more in
// it than its file holds; to make room for that could take all memory.
void QueueCore::grow(std::uint32_t units) {
    const std::uint64_t in_queue = std::uint64_t{put_index_.position - state_.puts.other.position} * unit;
    if (in_queue > platform::file_size(region_->descriptor()))
        tell_of_damage(std::to_string(in_queue) +
                       " bytes are said to be in it, which its memory cannot hold");
    const std::uint64_t wanted = std::max<std::uint64_t>(2 * std::uint64_t{put_view_.capacity},
                                                         std::bit_ceil(8 * std::uint64_t{units}));
    const std::uint32_t block = find_block(sizeof(Ring) + wanted * unit, Block::a_ring);
    if (block == Blocks::none)
        throw Error("the queue has " + std::to_string(BlockTable::most) +
                    " blocks of memory in use: take items out first");
    auto* const ring = new (blocks_.bytes(block, sizeof(Ring) + wanted * unit).data()) Ring;
    ring->capacity = static_cast<std::uint32_t>(wanted);
    ring->start = put_index_.position;
    put_view_.ring->next = block + 1;
    state_.puts.ring = block;
    look_at(put_view_, block);
}

std::byte* QueueCore::reserve(std::uint32_t units) {
    std::uint32_t at = (put_index_.position - put_view_.ring->start) & (put_view_.capacity - 1);
    const std::uint32_t to_end = put_view_.capacity - at;
    if (units > to_end) {
        *reinterpret_cast<Record*>(put_view_.data + std::size_t{at} * unit) = {
            to_end, Record::said(Record::padding, put_index_.items + 1)};
        put_index_.position += to_end;
        at = 0;
    }
    put_at_ = put_index_.position;
    put_index_.position += units;
    ++put_index_.items;
    return put_view_.data + std::size_t{at} * unit;
}

std::byte* QueueCore::add(std::uint64_t bytes) {
    const std::uint64_t in_front = parcel_ == 0 ? 0 : sizeof parcel_;
    const std::uint32_t units = units_for(in_front + bytes);
    if (!is_within_limits(bytes) || !has_room(units)) return nullptr;
    std::byte* const place = reserve(units);
    *reinterpret_cast<Record*>(place) = {
        static_cast<std::uint32_t>(in_front + bytes),
        Record::said(parcel_ == 0 ? Record::message : Record::message_with_parcel, put_index_.items)};
    if (parcel_ != 0) std::memcpy(place + record_size, &parcel_, sizeof parcel_);
    return place + record_size + in_front;
}

bool QueueCore::add_block(std::uint32_t block, std::uint64_t bytes) {
    const std::uint32_t units = units_for(sizeof(BlockRecord));
    if (!has_room(units)) return false;
    std::byte* const place = reserve(units);
    *reinterpret_cast<Record*>(place) = {sizeof(BlockRecord), Record::said(Record::block, put_index_.items)};
    *reinterpret_cast<BlockRecord*>(place + record_size) = {bytes, block, 0, parcel_};
    blocks_[block].owner = Block::the_queue;
    return true;
}

void QueueCore::finish_put() {
    if (trace::is_on()) [[unlikely]]
        trace_messages(Call::put, put_view_, under_lock(state_.puts.index), put_index_);
    ring_box(state_.gets.box, sockets_.of_puts());
    finish(state_.puts, state_.gets, put_index_);
}

void QueueCore::end_put() noexcept { state_.puts.lock.give_back(); }

std::uint32_t QueueCore::take_block(std::uint64_t bytes, Deadline deadline) {
    require_open();
    if (!take_side(state_.puts, for_the_lock(deadline)))
        throw Full("the queue is busy: another process stands still while it puts");
    std::uint32_t block = Blocks::none;
    try {
        block = find_block(bytes, Block::this_process());
    } catch (...) {
        end_put();
        throw;
    }
    end_put();
    if (block == Blocks::none)
        throw Full("the queue has " + std::to_string(BlockTable::most) +
                   " long items in it or in use: take some out first");
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

// Frees what the dead have left: blocks that they owned, or that they had given to the queue before they came
// to commit. Requires: the lock of the puts is held.
void QueueCore::sweep() {
    const std::uint32_t count = blocks_.count();
    bool needed = state_.sweep != 0;
    for (std::uint32_t i = 0; i < count && !needed; ++i) {
        const std::uint32_t owner = blocks_[i].owner;
        needed = Block::is_of_a_dead_process(owner);
    }
    std::vector<bool> used(count);
    if (!needed || !take_side(state_.gets, Deadline(grace))) return;
    const TakenSide taken(state_.gets);
    Index at = state_.gets.index;
    const Index end = state_.puts.index;
    expect_order(end, at);
    View view;
    look_at(view, state_.gets.ring);
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
                reinterpret_cast<const BlockRecord*>(place_of(view, at.position) + record_size)->block;
            if (block >= count) tell_of_damage("an item is said to lie in block " + std::to_string(block));
            used[block] = true;
        }
        at.position += units_of(record);
        if (record.kind() != Record::padding) ++at.items;
    }
    state_.puts.ring = view.block;
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::uint32_t owner = blocks_[i].owner;
        if (!used[i] &&
            (owner == Block::the_queue || owner == Block::a_ring || Block::is_of_a_dead_process(owner)))
            give_block(i);
    }
    state_.sweep = 0;
}

// ---- by descriptor -------------------------------------------------------------------------------

// Requires: the lock of the side that sends on the socket is held.
void QueueCore::ring_box(Box& box, int socket) {
    if (under_lock(box.wanted) == 0 || under_lock(box.filled) != 0) [[likely]]
        return;
    // No room means that there is something in it; nobody there, that nobody waits.
    platform::post(socket, as_bytes(bell_number));
    box.filled = 1;
}

// Requires: as above; there is nothing that a message in the socket could be about.
void QueueCore::empty_box(Box& box, int socket) {
    while (platform::discard_message(socket)) {
    }
    box.filled = 0;
}

bool QueueCore::enclose(std::span<const message::Attachment> attachments) {
    parcel_ = 0;
    socket_is_full_ = false;
    if (attachments.empty()) return true;
    auto& parcels = state_.parcels;
    const auto same = [&] {
        if (parcels.count != attachments.size() || attachments.size() > Parcels::most_names) return false;
        for (std::size_t i = 0; i < attachments.size(); ++i) {
            if (parcels.names[i] != attachments[i].name) return false;
        }
        return true;
    };
    if (!same()) {
        parcels.count = 0;
        const std::uint64_t number = ++parcels.last;  // first of all: if we are killed it is not used again
        parcels.are_there = 1;
        std::vector<int> descriptors;
        for (const auto& attached : attachments) descriptors.push_back(attached.descriptor);
        const auto posted = platform::post(sockets_.of_puts(), as_bytes(number), descriptors);
        socket_is_full_ = posted == platform::Posted::no_room;
        if (socket_is_full_) return false;
        if (posted == platform::Posted::nobody_there)
            throw BrokenPipe("the pipe's other end is closed: nobody is left to receive");
        state_.gets.box.filled = 1;
        if (attachments.size() <= Parcels::most_names) {
            for (std::size_t i = 0; i < attachments.size(); ++i) parcels.names[i] = attachments[i].name;
            parcels.count = static_cast<std::uint32_t>(attachments.size());
        }
    }
    parcel_ = parcels.last;
    return true;
}

message::Attachments QueueCore::open_parcel(std::uint64_t wanted) {
    if (wanted == 0) return {};
    for (;;) {
        std::uint64_t number = 0;
        const auto buffer = std::as_writable_bytes(std::span(&number, 1));
        auto peeked = platform::peek_at_message(sockets_.of_gets(), buffer);
        if (peeked.size == 0 || number > wanted)
            throw Error(
                "the descriptors that belong to a message are gone: somebody else has read from its socket");
        if (number == wanted) {
            std::vector<int> descriptors;
            for (auto& descriptor : peeked.descriptors) descriptors.push_back(descriptor.release());
            return message::Attachments(std::move(descriptors));
        }
        platform::discard_message(sockets_.of_gets());
    }
}

// What a parcel held must not stay open in the socket once its item was taken: it may be a pipe's end.
// Requires: the lock of the gets is held, and nothing taken is uncommitted.
void QueueCore::throw_away_parcels() {
    if (is_something() || !take_side(state_.puts, now)) return;  // who puts now, or gets later, comes by here
    if (!is_something()) {
        state_.parcels.count = 0;
        empty_box(state_.gets.box, sockets_.of_gets());
        state_.parcels.are_there = 0;
    }
    state_.puts.lock.give_back();
}

bool QueueCore::is_something() const noexcept {
    if (state_.phase.load() == QueueState::immediate) return false;
    return state_.puts.index.load().position != state_.gets.index.load().position;
}

bool QueueCore::is_ready_or_will_ring(Deadline deadline) {
    const auto ready = [&] { return is_something() || state_.phase.load() != QueueState::open; };
    if (ready()) return true;
    if (!take_side(state_.puts, deadline)) return ready();
    const bool is_ready = ready();
    if (!is_ready) {
        state_.gets.box.wanted = 1;
        if (under_lock(state_.gets.box.filled) != 0 || has_parcels()) {
            state_.parcels.count = 0;
            empty_box(state_.gets.box, sockets_.of_gets());
        }
    }
    state_.puts.lock.give_back();
    return is_ready;
}

void QueueCore::stop_ringing() {
    take_side(state_.puts, {});
    state_.gets.box.wanted = 0;
    // A parcel may be somebody's, who would miss it: bells alone are taken out.
    if (under_lock(state_.gets.box.filled) != 0 && !has_parcels())
        empty_box(state_.gets.box, sockets_.of_gets());
    state_.puts.lock.give_back();
}

bool QueueCore::wait_for_something(Deadline deadline) {
    const auto attempt = [&] { return is_something(); };
    const bool something =
        wait_by_descriptor(name_of(Call::poll), position_of(state_.puts), sockets_.of_gets(), deadline,
                           attempt, [&] { return is_ready_or_will_ring(deadline); });
    // Whoever asks again and again by a descriptor must not find the bell of what is gone.
    return something || is_ready_or_will_ring(now) || is_hung_up(sockets_.of_gets());
}

bool QueueCore::has_room_or_will_ring(std::uint64_t bytes, Deadline deadline) {
    if (!take_side(state_.puts, deadline)) return false;
    bool room = false;
    try {
        follow_puts();
        put_index_ = under_lock(state_.puts.index);
        if (take_side(state_.gets, deadline)) {
            const TakenSide taken(state_.gets);
            state_.puts.other = state_.gets.index.load();
            room = (is_within_limits(bytes) && !socket_is_full_) || put_index_ == state_.puts.other ||
                   state_.phase.load() != QueueState::open;
            if (!room) {
                state_.puts.box.wanted = 1;
                empty_box(state_.puts.box, sockets_.of_puts());
            }
        }
    } catch (...) {
        end_put();
        throw;
    }
    end_put();
    return room;
}

bool QueueCore::is_hung_up(int socket) const {
    platform::Waited waited{socket};
    platform::wait_for_any(std::span(&waited, 1), now);
    return waited.hung_up;
}

// Without asking the system for each message: it is asked while nobody has received yet, when who received
// last is dead, and when somebody has closed the other end.
// O5: the order of these two loads is of no matter.
bool QueueCore::has_receiver() const noexcept {
    const sync::ParticipantId last = state_.last_getter.load(std::memory_order_relaxed);
    return state_.departures.load(std::memory_order_relaxed) == seen_departures_ && last != sync::nobody &&
           !sync::is_dead(last);
}

void QueueCore::require_receiver() {
    const std::uint32_t departures = state_.departures.load(std::memory_order_relaxed);
    if (has_receiver()) return;
    if (is_hung_up(sockets_.of_puts()))
        throw BrokenPipe("the pipe's other end is closed: nobody is left to receive");
    seen_departures_ = departures;
}

template <class Attempt, class WillRing>
bool QueueCore::wait_by_descriptor(const char* call, const sync::Word& watched, int socket, Deadline deadline,
                                   Attempt attempt, WillRing ready_or_will_ring) {
    std::uint32_t seen = watched.load();
    if (attempt()) return true;
    if (deadline.has_passed()) return false;
    constexpr int tries = 4;
    for (int i = 0; i < tries && sync::spin_until([&] { return watched.load() != seen; }); ++i) {
        seen = watched.load();
        if (attempt()) return true;
    }
    trace::Wait wait(call);
    platform::Patience patience;
    for (;;) {
        if (attempt()) return true;
        if (deadline.has_passed()) return false;
        if (ready_or_will_ring()) continue;
        wait.begins();
        platform::Waited waited{socket};
        patience.sleep(deadline,
                       [&](Deadline until) { return platform::wait_for_any(std::span(&waited, 1), until); });
        if (waited.hung_up) return attempt();  // what was sent before is still there
    }
}

// ---- getting -------------------------------------------------------------------------------------

bool QueueCore::begin_get_quickly(Message& message) noexcept {
    auto& side = state_.gets;
    if (!side.lock.take_if_free(sync::participant_of_this_thread)) return false;
    if (is_in_view(get_view_, side) && state_.phase.load() != QueueState::immediate &&
        (!is_pipe_ || under_lock(state_.last_getter) == sync::participant_of_this_thread)) [[likely]] {
        const Ring& ring = *get_view_.ring;
        const std::uint32_t capacity = get_view_.capacity;
        const Index index = under_lock(side.index);
        if (index.position == side.other.position) side.other = committed(state_.puts);
        // A ring that took over meanwhile is for the long way: looked for after the index, which may have
        // moved there (O3).
        if (index.position != side.other.position && ring.next.load(std::memory_order_acquire) == 0) {
            const std::uint32_t at = (index.position - ring.start) & (capacity - 1);
            const std::byte* const place = get_view_.data + std::size_t{at} * unit;
            if (const auto record = *reinterpret_cast<const Record*>(place);
                record.what == Record::said(Record::message, index.items + 1) &&
                units_for(record.bytes) <= capacity - at) [[likely]] {
                get_index_ = {index.position + units_for(record.bytes), index.items + 1};
                message = {{place + record_size, record.bytes}, Blocks::none, 0};
                return true;
            }
        }
    }
    end_get();
    return false;
}

bool QueueCore::begin_get(Deadline deadline) {
    const Deadline lock_deadline = for_the_lock(deadline);
    const auto attempt = [&] { return try_begin_get(lock_deadline); };
    const auto& watched = position_of(state_.puts);
    const bool begun = is_pipe()
                           ? wait_by_descriptor(name_of(Call::get), watched, sockets_.of_gets(), deadline,
                                                attempt, [&] { return is_ready_or_will_ring(deadline); })
                           : wait_in_line(name_of(Call::get), state_.gets, watched, deadline, attempt);
    if (begun) return true;
    if (is_pipe() && is_hung_up(sockets_.of_gets())) {
        if (attempt()) return true;  // it was sent after we looked, and before the other end went
        throw EndOfFile("the pipe's other end is closed, and all that was sent has been received");
    }
    // Who was led here by the descriptor must not find it readable for what is gone.
    if (state_.gets.box.wanted.load() != 0) is_ready_or_will_ring(now);
    return false;
}

void QueueCore::throw_empty() const {
    throw Empty(is_pipe() ? "nothing was sent through the pipe in time"
                          : "the queue is empty, and nothing was put in time");
}

bool QueueCore::try_begin_get(Deadline deadline) {
    auto& side = state_.gets;
    if (!take_side(side, deadline)) return false;
    get_index_ = under_lock(side.index);
    if (const sync::ParticipantId self = sync::this_participant();
        is_pipe() && under_lock(state_.last_getter) != self)
        state_.last_getter = self;
    try {
        follow_gets();
    } catch (...) {
        end_get();
        throw;
    }
    std::uint32_t phase = QueueState::open;
    try {
        phase = this->phase();
        side.other = state_.puts.index.load();
        expect_order(side.other, get_index_);
    } catch (...) {
        end_get();
        throw;
    }
    if (has_parcels()) throw_away_parcels();  // of who was killed after it had taken the last item
    const bool something = get_index_.position != side.other.position ||
                           get_index_.position != (side.other = state_.puts.index.load()).position;
    if (something && phase != QueueState::immediate) return true;
    end_get();
    if (phase == QueueState::immediate)
        throw ShutDown("the queue was shut down at once: what was in it is gone");
    // Read before the index: after it nothing can have been put.
    if (phase != QueueState::open)
        throw ShutDown("the queue was shut down, and all that was in it has been taken");
    return false;
}

// Requires: nothing was taken that is not committed.
void QueueCore::follow_gets() {
    auto& side = state_.gets;
    look_at(get_view_, under_lock(side.ring));
    std::uint32_t moves = 0;
    while (const auto next = after(get_view_)) {
        if (get_index_.position != next->ring->start) return;
        if (++moves > BlockTable::most) tell_of_damage("its rings follow each other round and round");
        const std::uint32_t old = get_view_.block;
        side.ring = next->block;
        get_view_ = *next;
        // If the puts have not moved on, somebody was killed there; who comes next still looks at the old
        // one.
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
            side.other = committed(state_.puts);
            if (get_index_.position == side.other.position) return false;
        }
        if (const auto next = after(get_view_); next && get_index_.position == next->ring->start) {
            if (get_index_ != under_lock(side.index))
                return false;  // first commit what was taken from the old one
            follow_gets();
        }
        const std::byte* const place = place_of(get_view_, get_index_.position);
        const auto record = record_at(get_view_, get_index_, side.other.position);
        if (record.kind() == Record::padding) {
            get_index_.position += record.bytes;
            continue;
        }
        message = {{place + record_size, record.bytes}, Blocks::none, 0, record.is_retracted()};
        if (record.kind() == Record::message_with_parcel) {
            std::memcpy(&message.parcel, message.bytes.data(), sizeof message.parcel);
            message.bytes = message.bytes.subspan(sizeof message.parcel);
        } else if (record.kind() == Record::block) {
            const auto found = *reinterpret_cast<const BlockRecord*>(place + record_size);
            message = {blocks_.bytes(found.block, found.bytes).first(found.bytes), found.block, found.parcel,
                       message.retracted};
            blocks_[found.block].owner = Block::this_process();
        }
        get_index_.position += units_of(record);
        ++get_index_.items;
        return true;
    }
}

bool QueueCore::retract(std::uint32_t position) {
    take_side(state_.gets, {});
    const TakenSide taken(state_.gets);
    const Index index = under_lock(state_.gets.index);
    const std::uint32_t waiting = state_.puts.index.load().position - index.position;
    if (position - index.position >= waiting || state_.phase.load() == QueueState::immediate) return false;
    View view;
    look_at(view, under_lock(state_.gets.ring));
    std::uint32_t moves = 0;
    while (const auto next = after(view)) {
        if (static_cast<std::int32_t>(position - next->ring->start) < 0) break;
        if (++moves > BlockTable::most) tell_of_damage("its rings follow each other round and round");
        view = *next;
    }
    auto& record = *reinterpret_cast<Record*>(const_cast<std::byte*>(place_of(view, position)));
    record.what |= Record::retracted;
    return true;
}

void QueueCore::commit_get() {
    if (trace::is_on()) [[unlikely]]
        trace_messages(Call::get, get_view_, under_lock(state_.gets.index), get_index_);
    ring_box(state_.puts.box, sockets_.of_gets());
    const platform::WakesAtDeath pending(state_.puts.bell.word());
    state_.gets.index.store(get_index_);
    state_.puts.bell.ring(Sharing::processes, 1);
}

void QueueCore::end_get() noexcept { state_.gets.lock.give_back(); }

void QueueCore::finish_get() {
    if (trace::is_on()) [[unlikely]]
        trace_messages(Call::get, get_view_, under_lock(state_.gets.index), get_index_);
    ring_box(state_.puts.box, sockets_.of_gets());
    finish(state_.gets, state_.puts, get_index_);
}

}  // namespace chorus::inline v0::detail::channel
