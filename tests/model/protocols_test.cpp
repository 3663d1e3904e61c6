// The protocols for waiting, in all their executions on a weakly ordered machine. With a memory order
// weakened each must fail. A coroutine follows the library's function that its comment names.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <model/weak_memory.hpp>

namespace {

using model::Machine;
using model::Plain;
using model::Task;
using model::Word;
using testing::HasSubstr;
using enum std::memory_order;

constexpr std::uint32_t all = 1000;

// g++ 12 takes no braces inside of a coroutine, and miscompiles an await in a condition.
std::vector<Machine::Expected> holding(Word& word, std::uint32_t value) { return {{&word, value}}; }
std::vector<Machine::Expected> holding(Word& first, std::uint32_t value, Word& second, std::uint32_t other) {
    return {{&first, value}, {&second, other}};
}

// ---- the bell: sync/internal/waiting.hpp
// --------------------------------------------------------------------------

struct BellOrders {
    std::memory_order change = seq_cst;  ///< of the watched word
    std::memory_order look = seq_cst;    ///< whether the bell is marked
    bool looks_again = true;             ///< between the mark and the sleep
    bool watches_word = true;            ///< in its sleep
};

constexpr std::uint32_t marked = 1U << 31;

struct Awaited {
    Word word;
    Word bell;
    explicit Awaited(Machine& machine) : word(machine, "word"), bell(machine, "bell") {}
};

// Bell::ring_all
Task<void> tell(Machine& machine, Awaited& here, const BellOrders& orders) {
    co_await here.word.store(1, orders.change);
    const auto bell = co_await here.bell.load(orders.look);
    if ((bell & marked) == 0) co_return;
    co_await here.bell.exchange(0);
    co_await machine.wake(here.bell, all);
}

// wait_until
Task<void> wait(Machine& machine, Awaited& here, const BellOrders& orders) {
    for (;;) {
        const auto seen = co_await here.word.load();
        if (seen == 1) co_return;
        const auto bell = co_await here.bell.load();
        if (bell != marked) co_await here.bell.exchange(marked);
        if (orders.looks_again) {
            const auto again = co_await here.word.load();
            if (again == 1) co_return;
        }
        auto words = holding(here.bell, marked, here.word, seen);
        if (!orders.watches_word) words.pop_back();
        co_await machine.sleep(words);
    }
}

template <class... Bound>
Machine::Result explore_bell(const BellOrders& orders, int waiters = 1, Bound... preemptions) {
    return Machine::explore(
        [&](Machine& machine) {
            auto& here = machine.make<Awaited>(machine);
            machine.add(tell(machine, here, orders));
            for (int i = 0; i < waiters; ++i) machine.add(wait(machine, here, orders));
        },
        preemptions...);
}

TEST(ModelOfBell, loses_no_wake_up) {
    const auto result = explore_bell({});
    EXPECT_EQ(result.failure, "");
    EXPECT_GT(result.executions, 50U);
    EXPECT_EQ(explore_bell({}, 2, std::size_t{3}).failure, "");
}

TEST(ModelOfBell, needs_the_order_of_change_and_look) {
    EXPECT_THAT(explore_bell({.look = relaxed}).failure, HasSubstr("no thread is left to wake it"));
    EXPECT_THAT(explore_bell({.change = relaxed, .look = relaxed}).failure,
                HasSubstr("no thread is left to wake it"));
}

TEST(ModelOfBell, needs_the_second_look_or_the_word) {
    EXPECT_EQ(explore_bell({.looks_again = false}).failure, "");
    EXPECT_EQ(explore_bell({.watches_word = false}).failure, "");
    EXPECT_THAT(explore_bell({.looks_again = false, .watches_word = false}).failure,
                HasSubstr("no thread is left to wake it"));
}

// ---- the lock: sync/lock_word.hpp and sync/internal/lock_state.cpp, of threads
// ------------------------------------

struct LockOrders {
    std::memory_order take = acquire;
    std::memory_order give = seq_cst;
    std::memory_order give_slowly = release;
};

constexpr std::uint32_t waited_for = 1U << 31;

struct Locked {
    Word word;
    Plain count;
    explicit Locked(Machine& machine) : word(machine, "lock"), count(machine, "count") {}
};

Task<void> use(Machine& machine, Locked& here, std::uint32_t self, const LockOrders& orders) {
    // take_if_free, then take_after_sleep
    auto found = co_await here.word.compare_exchange(0, self, orders.take, relaxed);
    for (bool taken = found == 0; !taken;) {
        const auto value = co_await here.word.load();
        if ((value & ~waited_for) == 0) {
            found = co_await here.word.compare_exchange(value, self | waited_for);
            taken = found == value;
            continue;
        }
        if ((value & waited_for) == 0) {
            found = co_await here.word.compare_exchange(value, value | waited_for);
            if (found != value) continue;
        }
        co_await machine.sleep(holding(here.word, value | waited_for));
    }
    here.count.write(here.count.read() + 1);
    // give_back_if_unwanted, then give_back_slowly
    found = co_await here.word.compare_exchange(self, 0, orders.give, relaxed);
    while (found != self) {
        const auto value = co_await here.word.load(relaxed);
        found = co_await here.word.compare_exchange(value, 0, orders.give_slowly, relaxed);
        if (found != value) continue;
        if ((value & waited_for) != 0) co_await machine.wake(here.word, 1);
        co_return;
    }
}

template <class... Bound>
Machine::Result explore_lock(const LockOrders& orders, std::uint32_t threads, Bound... preemptions) {
    return Machine::explore(
        [&](Machine& machine) {
            auto& here = machine.make<Locked>(machine);
            for (std::uint32_t i = 1; i <= threads; ++i) machine.add(use(machine, here, i, orders));
        },
        preemptions...);
}

TEST(ModelOfLock, keeps_others_out_and_leaves_none_asleep) {
    EXPECT_EQ(explore_lock({}, 2).failure, "");
    EXPECT_EQ(explore_lock({}, 3, std::size_t{3}).failure, "");
}

TEST(ModelOfLock, needs_its_orders) {
    EXPECT_THAT(explore_lock({.take = relaxed}, 2).failure, HasSubstr("data race"));
    EXPECT_THAT(explore_lock({.give = relaxed}, 2).failure, HasSubstr("data race"));
    EXPECT_THAT(explore_lock({.give_slowly = relaxed}, 2).failure, HasSubstr("data race"));
}

// ---- the queue: channel/internal/queue_core.cpp
// -------------------------------------------------------------------

struct QueueOrders {
    std::memory_order commit = release;
    std::memory_order load_of_puts = acquire;  ///< by the consumer
    std::memory_order load_of_gets = acquire;  ///< by the producer: the place is free again
    std::memory_order give_back = seq_cst;     ///< the lock, behind the commit
    std::memory_order load_of_bell = seq_cst;
};

/// A ring with one place. One side is one thread, so the lock of a side is only ever given back.
struct Ring {
    Plain place;
    Word puts, put_lock, put_bell;
    Word gets, get_lock, get_bell;
    explicit Ring(Machine& machine)
        : place(machine, "place"),
          puts(machine, "puts"),
          put_lock(machine, "lock of puts"),
          put_bell(machine, "bell of puts"),
          gets(machine, "gets"),
          get_lock(machine, "lock of gets"),
          get_bell(machine, "bell of gets") {}
};

// QueueCore::finish
Task<void> finish(Machine& machine, Word& index, std::uint32_t value, Word& lock, Word& other_bell,
                  const QueueOrders& orders) {
    co_await index.store(value, orders.commit);
    co_await lock.exchange(0, orders.give_back);
    const auto bell = co_await other_bell.load(orders.load_of_bell);
    if ((bell & marked) == 0) co_return;
    // Bell::wake_sleepers
    const auto woken = co_await machine.wake(other_bell, 1);
    if (woken != 0) co_return;
    co_await other_bell.exchange(0);
    co_await machine.wake(other_bell, all);
}

// QueueCore::wait_in_line: until the other side's index is no longer this.
Task<void> wait_for_other(Machine& machine, Word& watched, std::uint32_t before, Word& bell,
                          std::memory_order look) {
    for (;;) {
        const auto seen = co_await watched.load();
        const auto mark = co_await bell.load();
        if (mark != marked) co_await bell.exchange(marked);
        const auto again = co_await watched.load(look);
        if (again != before) co_return;
        co_await machine.sleep(holding(bell, marked, watched, seen));
    }
}

Task<void> put(Machine& machine, Ring& ring, std::uint32_t count, const QueueOrders& orders) {
    for (std::uint32_t i = 1; i <= count; ++i) {
        const auto gets = co_await ring.gets.load(orders.load_of_gets);
        if (gets != i - 1)
            co_await wait_for_other(machine, ring.gets, i - 2, ring.put_bell, orders.load_of_gets);
        ring.place.write(100 + i);
        co_await finish(machine, ring.puts, i, ring.put_lock, ring.get_bell, orders);
    }
}

Task<void> get(Machine& machine, Ring& ring, std::uint32_t count, const QueueOrders& orders) {
    for (std::uint32_t i = 1; i <= count; ++i) {
        const auto puts = co_await ring.puts.load(orders.load_of_puts);
        if (puts != i) co_await wait_for_other(machine, ring.puts, i - 1, ring.get_bell, orders.load_of_puts);
        if (ring.place.read() != 100 + i) throw model::Failure{"another item than was put"};
        co_await finish(machine, ring.gets, i, ring.get_lock, ring.put_bell, orders);
    }
}

template <class... Bound>
Machine::Result explore_queue(const QueueOrders& orders, std::uint32_t items, Bound... preemptions) {
    return Machine::explore(
        [&](Machine& machine) {
            auto& ring = machine.make<Ring>(machine);
            machine.add(put(machine, ring, items, orders));
            machine.add(get(machine, ring, items, orders));
        },
        preemptions...);
}

TEST(ModelOfQueue, hands_over_what_was_put_and_leaves_none_asleep) {
    EXPECT_EQ(explore_queue({}, 1, std::size_t{4}).failure, "");
    EXPECT_EQ(explore_queue({}, 3, std::size_t{2}).failure, "");
}

TEST(ModelOfQueue, needs_its_orders) {
    EXPECT_THAT(explore_queue({.commit = relaxed, .give_back = relaxed, .load_of_bell = relaxed}, 1).failure,
                HasSubstr("data race"));
    EXPECT_THAT(explore_queue({.load_of_puts = relaxed}, 1).failure, HasSubstr("data race"));
    EXPECT_THAT(explore_queue({.give_back = relaxed, .load_of_bell = relaxed}, 1).failure,
                HasSubstr("no thread is left to wake it"));
}

}  // namespace
