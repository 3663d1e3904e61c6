#include "channel/queue_core.hpp"

#include <bit>
#include <chrono>
#include <map>
#include <mutex>

#include <chorus/detail/message/encoding.hpp>
#include <chorus/errors.hpp>
#include "channel/line.hpp"
#include "channel/queue_trace.hpp"
#include "platform/fork_mutex.hpp"
#include "trace/trace.hpp"

namespace chorus::inline v0::detail::channel {

// ---- made, sent, received ------------------------------------------------------------------------

namespace {

// What this process holds already is not opened again.
struct Cores {
    platform::ForkMutex mutex;
    std::map<std::pair<std::uint64_t, bool>, std::weak_ptr<QueueCore>>
        by_region;  ///< and whether it is a pipe's receiving end
};
Cores& cores() {
    static auto* const instance = new Cores;
    return *instance;
}
// Before main: a fork while another thread makes it would leave a copy that waits indefinitely.
[[maybe_unused]] auto& cores_made = cores();

std::shared_ptr<memory::Region> make_region(std::uint64_t type, std::uint64_t max_items,
                                            std::uint64_t max_bytes) {
    sync::shared_runtime();  // before a plain fork(): copies that each made their own would take each other
                             // for themselves
    auto region = memory::Region::create_sparse(queue_label, table_offset + sizeof(BlockTable) - state_offset,
                                                table_offset + platform::page_size);
    auto* const state = new (region->data() + state_offset) QueueState;
    state->type = type;
    state->max_items = max_items;
    state->max_bytes = max_bytes;
    for (Side* side : {&state->puts, &state->gets}) {
        side->lock.initialise(Sharing::processes, false);
    }
    // All zero already, and most of it has no memory yet.
    auto* const table = std::launder(reinterpret_cast<BlockTable*>(region->data() + table_offset));
    table->table_ready = platform::page_size - (sizeof(BlockTable) - sizeof table->blocks);
    return region;
}

}  // namespace

QueuePointer QueueCore::create(std::uint64_t type, const std::string& type_name, QueueLimits limits,
                               QueueTrace trace) {
    const std::uint64_t max_items = limits.max_items;
    if (max_items >= largest_distance)
        throw UsageError("a queue holds at most 2147483647 items, asked for " + std::to_string(max_items));
    auto core = std::make_shared<QueueCore>(make_region(type, max_items, limits.max_bytes),
                                            Sockets{platform::make_mailbox(), {}}, type_name, trace);
    core->rings_.make_first(max_items == 0 ? usual_ring : std::bit_ceil(max_items * 64));
    remember(core);
    return core;
}

QueueCore::Ends QueueCore::create_pipe(std::uint64_t max_bytes) {
    auto sockets = platform::make_message_sockets();
    auto region = make_region(0, 0, max_bytes);
    Ends ends{std::make_shared<QueueCore>(region, Sockets{std::move(sockets.first), {}}, ""),
              std::make_shared<QueueCore>(region, Sockets{{}, std::move(sockets.second)}, "")};
    ends.puts->rings_.make_first(usual_ring);
    remember(ends.puts);
    remember(ends.gets);
    return ends;
}

void QueueCore::remember(const QueuePointer& core) {
    auto& here = cores();
    const std::lock_guard guard(here.mutex);
    here.by_region[{core->region()->name(), core->queue_.gets_only()}] = core;
}

QueueCore::QueueCore(std::shared_ptr<memory::Region> region, Sockets sockets, std::string type_name,
                     QueueTrace trace)
    : queue_(std::move(region), std::move(sockets), std::move(type_name), trace),
      rings_(queue_),
      readiness_(queue_),
      descriptors_(queue_),
      receivers_(queue_),
      writer_(rings_),
      reader_(rings_) {}

QueueCore::~QueueCore() {
    if (queue_.gets_only()) receivers_.depart();
    auto& here = cores();
    const std::lock_guard guard(here.mutex);
    const auto found = here.by_region.find({region()->name(), queue_.gets_only()});
    if (found != here.by_region.end() && found->second.expired()) here.by_region.erase(found);
}

void QueueCore::write(message::Writer& out, const QueueCore& core) {
    const bool gets_only = core.queue_.gets_only();
    memory::write_place(out, {core.region(), state_offset});
    out.write_raw(gets_only);
    // A name of its own, next to that of the region.
    const int socket = gets_only ? core.queue_.sockets.of_gets() : core.queue_.sockets.of_puts();
    out.write_raw(
        static_cast<std::uint32_t>(out.attach(socket, ~core.region()->name() ^ (gets_only ? 1U : 0U) << 8)));
}

QueuePointer QueueCore::read(message::Reader& in, std::uint64_t type, const std::string& type_name,
                             QueueTrace trace) {
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
    QueuePointer core;
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

// ---- done, shut down -----------------------------------------------------------------------------

namespace {

// `done` was looked at first: both counts only grow, so nothing is taken for done that was put since. Where
// it has not changed afterwards, it was so when the other count was read.
std::uint32_t unfinished(const QueueState& state, std::uint32_t done) noexcept {
    // Discarded with all that was in the queue: only what was taken is still to be done.
    const bool dropped = state.phase.load() == QueueState::immediate;
    const std::uint32_t items = (dropped ? state.gets : state.puts).index.load().items - done;
    // Some of what was dropped may have been said to be done before.
    return dropped && static_cast<std::int32_t>(items) < 0 ? 0 : items;
}

// A call that must not wait does not wait for other callers to put or get; one that does so at this
// moment is given some time.
Deadline for_the_lock(Deadline deadline) {
    if (deadline.is_never()) return deadline;
    const Deadline soon(grace);
    return deadline.when() > soon.when() ? deadline : soon;
}

}  // namespace

void task_done(QueueCore& core) {
    auto& state = core.queue().state;
    std::uint32_t done = state.done.load();
    const sync::TellsInDeath pending(Sharing::processes, state.all_done.word());
    do {
        if (unfinished(state, done) == 0)
            throw UsageError(
                "task_done() was called more often than items were put: call it once for each item taken");
    } while (!state.done.compare_exchange_strong(done, done + 1));
    if (unfinished(state, done + 1) == 0) state.all_done.ring_all(Sharing::processes);
}

bool join(QueueCore& core, Deadline deadline) {
    auto& state = core.queue().state;
    const auto all_done = [&] { return unfinished(state, state.done.load()) == 0; };
    if (all_done() || sync::spin_until(all_done)) return true;
    trace::Wait wait(name_of(core.queue(), Call::join));
    for (;;) {
        const std::uint32_t seen = state.done.load();
        const std::uint32_t phase = state.phase.load();
        state.all_done.mark();
        if (all_done()) break;
        if (deadline.has_passed()) return false;
        wait.begins();
        sleep_on(state.done, seen, state.all_done, state.phase, phase, deadline);
    }
    state.all_done.ring_all(Sharing::processes);
    return true;
}

void shut_down(QueueCore& core, bool immediately) {
    const auto& queue = core.queue();
    const HeldSide held(queue, queue.state.puts, {});  // no process is half-way through a put
    core.readiness().ring(queue.state.gets.signal, queue.sockets.of_puts());
    const platform::WakesAtDeath pending(queue.state.phase);
    queue.state.phase.fetch_or(immediately ? QueueState::immediate : QueueState::draining);
    platform::shared_futex_wake_all(queue.state.phase);
}

void give_up(QueueCore& core) noexcept {
    auto& state = core.queue().state;
    const platform::WakesAtDeath pending(state.phase);
    state.phase = QueueState::immediate;
    platform::shared_futex_wake_all(state.phase);
    // Callers that have come to sleep on the bells are woken too.
    state.puts.bell.ring_all(Sharing::processes);
    state.gets.bell.ring_all(Sharing::processes);
}

// ---- putting -------------------------------------------------------------------------------------

std::byte* QueueCore::begin_put_quickly(std::uint64_t bytes) noexcept {
    auto& side = queue_.state.puts;
    if (bytes > longest_in_ring || !side.lock.take_if_free(sync::participant_of_this_thread)) return nullptr;
    const RingView& view = writer_.view;
    if (rings_.is_current(view, side) && queue_.state.phase.load() == QueueState::open &&
        (!queue_.is_pipe || receivers_.is_known())) [[likely]] {
        const std::uint32_t start = view.ring->start;
        const std::uint32_t capacity = view.capacity;
        const std::uint32_t units = units_for(bytes);
        const Index index = under_lock(side.index);
        const std::uint32_t at = (index.position - start) & (capacity - 1);
        // What was seen of the gets may be out of date: then it is the slow path that looks again.
        const bool is_room = static_cast<std::int32_t>(side.other.position - start) >= 0 &&
                             index.position - side.other.position + units <= capacity &&
                             units <= capacity - at &&
                             (queue_.max_items == 0 || index.items - side.other.items < queue_.max_items) &&
                             (queue_.max_bytes == 0 || writer_.is_within_bytes(index, bytes));
        if (is_room) [[likely]] {
            writer_.batch = no_batch;
            writer_.last_position = index.position;
            writer_.index = {index.position + units, index.items + 1};
            std::byte* const place = view.data + std::size_t{at} * unit;
            *reinterpret_cast<Record*>(place) = {static_cast<std::uint32_t>(bytes),
                                                 Record::said(Record::message, writer_.index.items)};
            return place + record_size;
        }
    }
    end_put();
    return nullptr;
}

bool QueueCore::begin_put(std::uint64_t bytes, Deadline deadline,
                          std::span<const message::Attachment> attachments) {
    const std::uint64_t max_bytes = queue_.max_bytes;
    if (!queue_.is_pipe && max_bytes != 0 && bytes > max_bytes) {  // through a pipe it goes alone
        throw UsageError("an item of " + std::to_string(bytes) +
                         " bytes never fits into a queue of at most " + std::to_string(max_bytes) + " bytes");
    }
    const Deadline lock_deadline = for_the_lock(deadline);
    const auto attempt = [&] { return try_begin_put(bytes, lock_deadline, attachments); };
    const char* const call = name_of(queue_, Call::put);
    auto& state = queue_.state;
    const auto& watched = position_of(state.gets);
    if (!queue_.is_pipe) return wait_in_line(call, state.puts, watched, state.phase, deadline, attempt);
    const int socket = readiness_.sending_descriptor();
    const bool begun = Readiness::wait(call, watched, socket, deadline, attempt,
                                       [&] { return has_room_or_will_ring(bytes, deadline); });
    if (!begun && Readiness::is_hung_up(socket)) throw_no_receiver();
    return begun;
}

bool QueueCore::try_begin_put(std::uint64_t bytes, Deadline deadline,
                              std::span<const message::Attachment> attachments) {
    queue_.require_open();
    HeldSide held(queue_, queue_.state.puts, deadline);
    if (!held) return false;
    queue_.require_open();
    if (queue_.is_pipe) receivers_.require();
    writer_.begin();
    queue_.expect_order(writer_.index, queue_.state.gets.index.load());
    if (!writer_.is_within_limits(bytes) || !writer_.make_room(bytes)) return false;
    writer_.batch = no_batch;
    const auto batch = descriptors_.send(attachments);
    if (!batch) return false;
    writer_.batch = *batch;
    held.hand_over();
    return true;
}

// Of a pipe's sending end: whether begin_put would not wait. If not, its descriptor becomes readable
// when that changes.
bool QueueCore::has_room_or_will_ring(std::uint64_t bytes, Deadline deadline) {
    auto& state = queue_.state;
    const HeldSide puts(queue_, state.puts, deadline);
    if (!puts) return false;
    writer_.begin();
    const HeldSide gets(queue_, state.gets, deadline);
    if (!gets) return false;
    state.puts.other = state.gets.index.load();
    if ((writer_.is_within_limits(bytes) && !descriptors_.is_full()) || writer_.index == state.puts.other ||
        queue_.is_shut_down())
        return true;
    state.puts.signal.wanted = 1;
    Readiness::clear(state.puts.signal, readiness_.sending_descriptor());
    return false;
}

void QueueCore::finish_put() {
    auto& state = queue_.state;
    if (trace::is_on()) [[unlikely]]
        trace_messages(rings_, Call::put, writer_.view, under_lock(state.puts.index), writer_.index);
    readiness_.ring(state.gets.signal, queue_.sockets.of_puts());
    commit_and_give_back(state.puts, state.gets, writer_.index);
}

std::uint32_t QueueCore::take_block(std::uint64_t bytes, Deadline deadline) {
    queue_.require_open();
    std::uint32_t block = Blocks::none;
    {
        const HeldSide held(queue_, queue_.state.puts, for_the_lock(deadline));
        if (!held) throw Full("the queue is busy: another process stands still while it puts");
        block = rings_.find_block(bytes, Block::this_process());
    }
    if (block == Blocks::none)
        throw Full("the queue has " + std::to_string(BlockTable::most) +
                   " long items in it or in use: take some out first");
    return block;
}

std::optional<std::uint32_t> QueueCore::put_block(std::uint32_t block, std::uint64_t bytes, Deadline deadline,
                                                  std::span<const message::Attachment> attachments) {
    if (!begin_put(bytes, deadline, attachments)) return std::nullopt;
    HeldSide held(queue_.state.puts);
    if (!writer_.add_block(block, bytes)) return std::nullopt;
    const std::uint32_t position = writer_.last_position;
    finish_put();
    held.hand_over();
    return position;
}

void throw_full(const QueueCore& core) {
    const auto& queue = core.queue();
    const std::string size = std::to_string(queue.size());
    if (core.descriptors().is_full() && !queue.is_full())
        throw Full("the queue holds " + size +
                   " items, and the system keeps no more descriptors under way: take some out first");
    if (queue.is_pipe) throw Full("the pipe holds " + size + " messages, and none was received in time");
    throw Full("the queue is full: " + size + " items are in it" +
               (queue.max_items != 0 ? " of at most " + std::to_string(queue.max_items) : std::string()) +
               ", and none was taken in time");
}

// ---- getting -------------------------------------------------------------------------------------

bool QueueCore::begin_get_quickly(Message& message) noexcept {
    auto& side = queue_.state.gets;
    if (!side.lock.take_if_free(sync::participant_of_this_thread)) return false;
    const RingView& view = reader_.view;
    if (rings_.is_current(view, side) && queue_.state.phase.load() != QueueState::immediate &&
        (!queue_.is_pipe || under_lock(queue_.state.last_getter) == sync::participant_of_this_thread))
        [[likely]] {
        const Ring& ring = *view.ring;
        const std::uint32_t capacity = view.capacity;
        const Index index = under_lock(side.index);
        if (index.position == side.other.position) side.other = committed(queue_.state.puts);
        // A ring that took over meanwhile is for the slow path: looked for after the index, which may
        // have moved there (O3).
        if (index.position != side.other.position && ring.next.load(std::memory_order_acquire) == 0) {
            const std::uint32_t at = (index.position - ring.start) & (capacity - 1);
            const std::byte* const place = view.data + std::size_t{at} * unit;
            if (const auto record = *reinterpret_cast<const Record*>(place);
                record.what == Record::said(Record::message, index.items + 1) &&
                units_for(record.bytes) <= capacity - at) [[likely]] {
                reader_.index = {index.position + units_for(record.bytes), index.items + 1};
                message = {{place + record_size, record.bytes}, Blocks::none, no_batch};
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
    const char* const call = name_of(queue_, Call::get);
    auto& state = queue_.state;
    const auto& watched = position_of(state.puts);
    const bool begun = queue_.is_pipe
                           ? Readiness::wait(call, watched, descriptor(), deadline, attempt,
                                             [&] { return readiness_.is_ready_or_will_ring(deadline); })
                           : wait_in_line(call, state.gets, watched, state.phase, deadline, attempt);
    if (begun) return true;
    if (queue_.is_pipe && Readiness::is_hung_up(descriptor())) {
        if (attempt()) return true;  // it was sent after the last attempt, and before the other end went
        throw EndOfFile("the pipe's other end is closed, and all that was sent has been received");
    }
    // A caller that was led here by the descriptor must not find it readable for a message that is
    // gone.
    if (state.gets.signal.wanted.load() != 0) readiness_.is_ready_or_will_ring(now);
    return false;
}

bool QueueCore::try_begin_get(Deadline deadline) {
    auto& state = queue_.state;
    auto& side = state.gets;
    std::uint32_t phase = QueueState::open;
    {
        HeldSide held(queue_, side, deadline);
        if (!held) return false;
        if (const sync::ParticipantId self = sync::this_participant();
            queue_.is_pipe && under_lock(state.last_getter) != self)
            state.last_getter = self;
        reader_.begin();
        phase = queue_.phase();
        side.other = state.puts.index.load();
        queue_.expect_order(side.other, reader_.index);
        // Of a consumer that was killed after it had taken the last item.
        if (descriptors_.may_be_there()) descriptors_.discard_left_over();
        const bool something = reader_.index.position != side.other.position ||
                               reader_.index.position != (side.other = state.puts.index.load()).position;
        if (something && phase != QueueState::immediate) {
            held.hand_over();
            return true;
        }
    }
    if (phase == QueueState::immediate)
        throw ShutDown("the queue was shut down at once: what was in it is gone");
    // Read before the index: after it nothing can have been put.
    if (phase != QueueState::open)
        throw ShutDown("the queue was shut down, and all that was in it has been taken");
    return false;
}

void QueueCore::finish_get(std::uint64_t batch) {
    auto& state = queue_.state;
    if (trace::is_on()) [[unlikely]]
        trace_messages(rings_, Call::get, reader_.view, under_lock(state.gets.index), reader_.index);
    readiness_.ring(state.puts.signal, queue_.sockets.of_gets());
    if (batch == no_batch && !descriptors_.may_be_there()) [[likely]] {
        commit_and_give_back(state.gets, state.puts, reader_.index);
        return;
    }
    commit(state.gets, state.puts, reader_.index);
    descriptors_.discard_left_over();
    end_get();
}

void throw_empty(const QueueCore& core) {
    throw Empty(core.queue().is_pipe ? "nothing was sent through the pipe in time"
                                     : "the queue is empty, and nothing was put in time");
}

}  // namespace chorus::inline v0::detail::channel
