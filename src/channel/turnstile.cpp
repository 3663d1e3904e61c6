// Each side has a lock, a count of all items that ever passed it, and the callers of the other side
// that wait for the next. An item is enqueued when the puts' count advances past it and dequeued when
// the gets' count does: each is written under that side's lock. Both counts only grow, so sizes are
// differences.
#include <chorus/detail/channel/turnstile.hpp>

#include <algorithm>
#include <atomic>
#include <climits>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include <chorus/errors.hpp>
#include "platform/futex.hpp"
#include "sync/lock_state.hpp"
#include "sync/waiting.hpp"
#include "trace/trace.hpp"

namespace chorus::inline v0::detail::channel {
namespace {

/// On lines of its own, since each side is busy on another CPU. Everything is written under the lock.
struct Side {
    sync::LockState* lock = nullptr;
    std::atomic<std::uint64_t> count{0};
    std::uint64_t other = 0;  ///< what was last seen of the other side's count: to look there is dear
    std::uint64_t sleepers =
        0;  ///< callers of the other side that wait here and were not woken; rather too many
    std::atomic<std::uint32_t> changes{
        0};  ///< they sleep on it: another value whenever some of them are to wake up

    /// Commits that so many have passed, and gives the lock back.
    void end(std::uint64_t items) noexcept {
        count.store(count.load(std::memory_order_relaxed) + items, std::memory_order_release);
        const int called = call_sleepers(items);
        lock->give_back();
        wake(called);
    }
    /// How many to wake, once the lock is given back, because there is something for so many.
    int call_sleepers(std::uint64_t most) noexcept {
        const std::uint64_t called = std::min({most, sleepers, std::uint64_t{INT_MAX}});
        if (called == 0) return 0;
        sleepers -= called;
        changes.store(changes.load(std::memory_order_relaxed) + 1, std::memory_order_release);
        return static_cast<int>(called);
    }
    void wake(int called) const noexcept {
        if (called > 0) platform::futex_wake(changes, called);
    }
    /// A caller that had been called has changed nothing (a move of the user's threw): what it was
    /// called for is there for the next one.
    void pass_the_call_on() noexcept {
        int called = 0;
        {
            const sync::Guard guard(*lock);
            called = call_sleepers(1);
        }
        wake(called);
    }

    /// The caller is going to sleep while `changes` holds what is returned.
    std::uint32_t announce_sleeper() {
        const sync::Guard guard(*lock);
        ++sleepers;
        return changes.load(std::memory_order_relaxed);
    }
    void withdraw_sleeper(std::uint32_t seen) {
        const sync::Guard guard(*lock);
        // If there was a call, this sleeper may have been counted among the called. Then one call is in
        // vain.
        if (changes.load(std::memory_order_relaxed) == seen) --sleepers;
    }
};

/// Waits on the other side until the attempt succeeds. A caller that passes there sees under the lock
/// that a sleeper has been announced; one that passed before has done so before the attempt that
/// follows.
template <class Attempt>
bool wait_until(const char* call, Side& other, Deadline deadline, Attempt attempt) {
    if (deadline.has_passed()) return false;
    if (sync::spin_until(attempt)) return true;
    sync::require_possible_waker(Sharing::threads, deadline);
    trace::Wait wait(call);
    for (;;) {
        const std::uint32_t seen = other.announce_sleeper();
        do {
            if (attempt()) return true;
            wait.begins();
            if (platform::futex_wait(other.changes, seen, deadline)) continue;
            other.withdraw_sleeper(seen);
            return attempt();
        } while (other.changes.load() == seen);
        if (attempt()) return true;
    }
}

}  // namespace

struct Turnstile::State {
    enum Phase : std::uint32_t { open, draining, immediate };

    // Read by both sides all the time, and hardly ever written: under both locks.
    alignas(64) std::atomic<std::uint32_t> phase{open};
    std::atomic<std::size_t> maxsize{0};
    alignas(64) Side puts;
    alignas(64) Side gets;
    alignas(64) sync::LockState put_lock;
    alignas(64) sync::LockState get_lock;
    // Writers of these: any thread.
    alignas(64) std::atomic<std::uint64_t> done{0};  ///< items that were said to be done
    std::atomic<std::uint32_t> joiners{0};           ///< callers of join() that sleep on the next
    std::atomic<std::uint32_t> all_done{0};          ///< another value whenever nothing was left to be done

    // Requires: the side's lock is held, and they have not passed yet.
    void trace(std::string_view what, const Side& side, std::size_t items) const noexcept {
        trace::instant(trace::Kind::message, what,
                       {{"queue", reinterpret_cast<std::intptr_t>(this)},
                        {"first", static_cast<std::int64_t>(side.count.load(std::memory_order_relaxed) + 1)},
                        {"items", static_cast<std::int64_t>(items)}});
    }

    bool is_open() const noexcept { return phase.load(std::memory_order_relaxed) == open; }
    bool is_dropped() const noexcept { return phase.load(std::memory_order_relaxed) == immediate; }

    std::size_t room() noexcept {
        const std::size_t most = maxsize.load(std::memory_order_relaxed);
        if (most == 0) return std::numeric_limits<std::size_t>::max();
        const std::uint64_t put = puts.count.load(std::memory_order_relaxed);
        if (put - puts.other >= most) puts.other = gets.count.load(std::memory_order_acquire);
        const std::uint64_t inside = put - puts.other;
        return inside < most ? most - inside : 0;
    }
    std::size_t available() noexcept {
        const std::uint64_t got = gets.count.load(std::memory_order_relaxed);
        if (gets.other == got) gets.other = puts.count.load(std::memory_order_acquire);
        return gets.other - got;
    }

    // What a look without a lock tells.
    bool may_put() const noexcept {
        const std::size_t most = maxsize.load(std::memory_order_relaxed);
        return !is_open() || most == 0 ||
               puts.count.load(std::memory_order_relaxed) - gets.count.load(std::memory_order_relaxed) < most;
    }
    bool may_get() const noexcept {
        return !is_open() ||
               puts.count.load(std::memory_order_relaxed) != gets.count.load(std::memory_order_relaxed);
    }

    bool try_begin_put() {
        puts.lock->take({});
        if (!is_open()) {
            puts.lock->give_back();
            throw ShutDown("the queue was shut down: nothing more can be put");
        }
        if (room() > 0) return true;
        puts.lock->give_back();
        return false;
    }
    bool try_begin_get() {
        gets.lock->take({});
        const bool is_dropped_now = is_dropped();
        if (!is_dropped_now && available() > 0) return true;
        const bool is_open_now = is_open();
        gets.lock->give_back();
        if (is_dropped_now) throw ShutDown("the queue was shut down at once: what was in it is gone");
        if (!is_open_now) throw ShutDown("the queue was shut down, and all that was in it has been taken");
        return false;
    }

    // `done` is looked at first: when the other count is the same afterwards, it was so at that moment.
    bool is_all_done(std::uint64_t done_before) const noexcept {
        // Thrown away with all that was in the queue: only what was taken is still to be done.
        const bool dropped = phase.load() == immediate;
        return done_before >= (dropped ? gets : puts).count.load();
    }
    void tell_joiners() noexcept {
        all_done.fetch_add(1);
        if (joiners.load() != 0) platform::futex_wake_all(all_done);
    }

    /// Both sides, for a change that concerns both. Always in this order.
    class Both {
    public:
        explicit Both(State& state) : state_(state) {
            state_.puts.lock->take({});
            if (state_.gets.lock != state_.puts.lock) state_.gets.lock->take({});
        }
        ~Both() {
            const int getters = state_.puts.call_sleepers(UINT64_MAX);
            const int putters = state_.gets.call_sleepers(UINT64_MAX);
            if (state_.gets.lock != state_.puts.lock) state_.gets.lock->give_back();
            state_.puts.lock->give_back();
            state_.puts.wake(getters);
            state_.gets.wake(putters);
        }
        Both(const Both&) = delete;
        Both& operator=(const Both&) = delete;

    private:
        State& state_;
    };
};

Turnstile::Turnstile(std::size_t maxsize, Sides sides) : state_(std::make_unique<State>()) {
    auto& state = *state_;
    state.maxsize = maxsize;
    state.put_lock.initialise(Sharing::threads, false);
    state.get_lock.initialise(Sharing::threads, false);
    state.puts.lock = &state.put_lock;
    state.gets.lock = sides == Sides::apart ? &state.get_lock : &state.put_lock;
}

Turnstile::~Turnstile() = default;

// ---- through it ----------------------------------------------------------------------------------

bool Turnstile::begin_put(Deadline deadline) {
    auto& state = *state_;
    if (state.try_begin_put()) return true;
    const auto attempt = [&] { return state.may_put() && state.try_begin_put(); };
    return wait_until("Queue.put", state.gets, deadline, attempt);
}

std::size_t Turnstile::room() noexcept { return state_->room(); }

void Turnstile::end_put(std::size_t items) noexcept {
    if (trace::is_on()) [[unlikely]]
        state_->trace("put", state_->puts, items);
    state_->puts.end(items);
    if (items == 0) state_->gets.pass_the_call_on();
}

bool Turnstile::begin_get(Deadline deadline) {
    auto& state = *state_;
    if (state.try_begin_get()) return true;
    const auto attempt = [&] { return state.may_get() && state.try_begin_get(); };
    return wait_until("Queue.get", state.puts, deadline, attempt);
}

std::size_t Turnstile::available() noexcept { return state_->available(); }

void Turnstile::end_get(std::size_t items) noexcept {
    if (trace::is_on()) [[unlikely]]
        state_->trace("got", state_->gets, items);
    state_->gets.end(items);
    if (items == 0) state_->puts.pass_the_call_on();
}

// ---- how many ------------------------------------------------------------------------------------

std::size_t Turnstile::size() const noexcept {
    const auto& state = *state_;
    if (state.phase.load() == State::immediate) return 0;
    for (;;) {
        const std::uint64_t put = state.puts.count.load();
        const std::uint64_t got = state.gets.count.load();
        if (put == state.puts.count.load()) return put - got;  // at the moment when the gets were read
    }
}

std::size_t Turnstile::maxsize() const noexcept { return state_->maxsize.load(); }

bool Turnstile::full() const noexcept {
    const std::size_t most = maxsize();
    return most != 0 && size() >= most;
}

void Turnstile::set_maxsize(std::size_t maxsize) {
    const State::Both both(*state_);
    state_->maxsize = maxsize;
}

// ---- work that is done ---------------------------------------------------------------------------

void Turnstile::task_done() {
    auto& state = *state_;
    std::uint64_t done = state.done.load();
    do {
        if (state.is_all_done(done))
            throw UsageError(
                "task_done() was called more often than items were put: call it once for each item taken");
    } while (!state.done.compare_exchange_weak(done, done + 1));
    if (state.is_all_done(done + 1)) state.tell_joiners();
}

bool Turnstile::join(Deadline deadline) {
    auto& state = *state_;
    const auto is_all_done = [&] { return state.is_all_done(state.done.load()); };
    if (is_all_done()) return true;
    if (deadline.has_passed()) return false;
    if (sync::spin_until(is_all_done)) return true;
    sync::require_possible_waker(Sharing::threads, deadline);
    state.joiners.fetch_add(1);
    bool in_time = true;
    trace::Wait wait("Queue.join");
    while (in_time) {
        const std::uint32_t seen = state.all_done.load();
        if (is_all_done()) break;
        wait.begins();
        in_time = platform::futex_wait(state.all_done, seen, deadline);
    }
    state.joiners.fetch_sub(1);
    return in_time || is_all_done();
}

// ---- the end -------------------------------------------------------------------------------------

bool Turnstile::shut_down(bool immediately) {
    auto& state = *state_;
    bool shall_drop = false;
    {
        const State::Both both(state);
        shall_drop = immediately && !state.is_dropped();
        if (shall_drop) {
            state.phase = State::immediate;
        } else if (state.is_open()) {
            state.phase = State::draining;
        }
    }
    if (shall_drop) state.tell_joiners();
    return shall_drop;
}

bool Turnstile::is_shut_down() const noexcept { return state_->phase.load() != State::open; }

void Turnstile::throw_full() const {
    throw Full("the queue is full: " + std::to_string(size()) + " items are in it of at most " +
               std::to_string(maxsize()) + ", and none was taken in time");
}

void Turnstile::throw_empty() { throw Empty("the queue is empty, and nothing was put in time"); }

}  // namespace chorus::inline v0::detail::channel
