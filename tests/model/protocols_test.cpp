// The protocols for waiting, in all their executions on a weakly ordered machine. With a memory order
// weakened each must fail. A coroutine follows the library's function that its comment names.
#include <deque>
#include <optional>

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

// ---- the bell: sync/waiting.hpp --------------------------------------------------------------------

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

// ---- the lock: chorus/detail/sync/lock_word.hpp and sync/lock_state.cpp, of threads ----------------

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

// ---- the queue: channel/held_side.hpp and channel/line.hpp ------------------------------------------

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

// commit_and_give_back
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

// wait_in_line: until the other side's index is no longer this.
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

// ---- a thread is killed, between any two of its operations -----------------------------------------

// sync::is_dead
Task<bool> is_dead(Word& life, std::memory_order order = seq_cst) {
    const auto value = co_await life.load(order);
    co_return (value & model::died) != 0;
}

// The bell: the thread that changes the word may be killed before it rings, and the woken thread before
// it passes that on.

struct Mortals {
    Word word;
    Word bell;
    Word life;
    explicit Mortals(Machine& machine)
        : word(machine, "word"), bell(machine, "bell"), life(machine, "life", 1) {}
};

// Event::set, Bell::ring_all
Task<void> tell_until_killed(Machine& machine, Mortals& here, bool tells_in_death) {
    std::optional<model::WakesAtDeath> pending;
    if (tells_in_death) pending.emplace(machine, here.bell);
    co_await here.word.store(1);
    const auto bell = co_await here.bell.load();
    if ((bell & marked) == 0) co_return;
    co_await here.bell.exchange(0);
    co_await machine.wake(here.bell, all);
}

// wait_until, and what Event::wait passes on
Task<void> wait_and_pass_on(Machine& machine, Mortals& here) {
    auto seen = co_await here.word.load();
    if (seen == 1) co_return;
    const model::WakesAtDeath pending(machine, here.bell);
    for (;;) {
        seen = co_await here.word.load();
        const auto bell = co_await here.bell.load();
        if (bell != marked) co_await here.bell.exchange(marked);
        const auto again = co_await here.word.load();
        if (again == 1) break;
        co_await machine.sleep(holding(here.bell, marked, here.word, seen));
    }
    const auto left = co_await here.bell.load();
    if ((left & marked) == 0) co_return;
    co_await here.bell.exchange(0);
    co_await machine.wake(here.bell, all);
}

Machine::Result explore_killed_teller(int waiters, bool tells_in_death, std::size_t preemptions) {
    return Machine::explore(
        [&](Machine& machine) {
            auto& here = machine.make<Mortals>(machine);
            machine.add_mortal(tell_until_killed(machine, here, tells_in_death), here.life);
            for (int i = 0; i < waiters; ++i) machine.add(wait_and_pass_on(machine, here));
            machine.may_sleep_if([&here] { return here.word.last() == 0; });
        },
        preemptions);
}

TEST(ModelOfDeath, of_who_rings_leaves_none_asleep) {
    EXPECT_EQ(explore_killed_teller(1, true, 6).failure, "");
    EXPECT_EQ(explore_killed_teller(2, true, 2).failure, "");
    EXPECT_THAT(explore_killed_teller(1, false, 6).failure, HasSubstr("no thread is left to wake it"));
}

TEST(ModelOfDeath, of_who_was_woken_leaves_none_asleep) {
    const auto result = Machine::explore(
        [&](Machine& machine) {
            auto& here = machine.make<Mortals>(machine);
            machine.add(tell_until_killed(machine, here, true));
            machine.add_mortal(wait_and_pass_on(machine, here), here.life);
            machine.add(wait_and_pass_on(machine, here));
        },
        2);
    EXPECT_EQ(result.failure, "");
    EXPECT_GT(result.executions, 1000U);
}

// The lock of processes: LockState. Its holder may be killed, and so may the thread that gives it back.

struct MortalLock {
    Word word;
    std::deque<Word> lives;
    Plain count;
    explicit MortalLock(Machine& machine) : word(machine, "lock"), count(machine, "count") {
        lives.emplace_back(machine, "life of thread 0", 1);
        lives.emplace_back(machine, "life of thread 1", 1);
    }
    Word& life_of(std::uint32_t owner) { return lives[owner - 1]; }
};

struct MortalOrders {
    std::memory_order is_dead = seq_cst;
    std::memory_order inherit = seq_cst;
    bool watches_life = true;
    bool tells_in_death = true;
};

Task<void> use_while_alive(Machine& machine, MortalLock& here, std::uint32_t self,
                           const MortalOrders& orders) {
    auto found = co_await here.word.compare_exchange(0, self, acquire, relaxed);
    for (bool taken = found == 0; !taken;) {
        // take_at_once
        auto value = co_await here.word.load();
        const std::uint32_t owner = value & ~waited_for;
        bool inherited = false;
        if (owner != 0) inherited = co_await is_dead(here.life_of(owner), orders.is_dead);
        if (owner == 0 || inherited) {
            found = co_await here.word.compare_exchange(value, self | (value & waited_for), orders.inherit,
                                                        relaxed);
            taken = found == value;
            continue;
        }
        // take_after_sleep
        if ((value & waited_for) == 0) {
            found = co_await here.word.compare_exchange(value, value | waited_for);
            if (found != value) continue;
        }
        value |= waited_for;
        // DeathWord::watch
        auto& life = here.life_of(owner);
        auto alive = co_await life.load();
        if ((alive & model::died) != 0) continue;
        if ((alive & model::watched) == 0) {
            found = co_await life.compare_exchange(alive, alive | model::watched);
            if (found != alive) continue;
        }
        alive |= model::watched;
        auto words = holding(here.word, value, life, alive);
        if (!orders.watches_life) words.pop_back();
        co_await machine.sleep(words);
    }
    here.count.write(here.count.read() + 1);
    found = co_await here.word.compare_exchange(self, 0, seq_cst, relaxed);
    if (found == self) co_return;
    // give_back_slowly
    std::optional<model::WakesAtDeath> pending;
    if (orders.tells_in_death) pending.emplace(machine, here.word);
    auto value = co_await here.word.load(relaxed);
    for (;;) {
        found = co_await here.word.compare_exchange(value, value & waited_for);
        if (found == value) break;
        value = found;
    }
    if ((value & waited_for) == 0) co_return;
    const auto woken = co_await machine.wake(here.word, 1);
    if (woken == 0) co_await here.word.compare_exchange(waited_for, 0);
}

Machine::Result explore_killed_holder(const MortalOrders& orders) {
    return Machine::explore(
        [&](Machine& machine) {
            auto& here = machine.make<MortalLock>(machine);
            machine.add_mortal(use_while_alive(machine, here, 1, orders), here.life_of(1));
            machine.add(use_while_alive(machine, here, 2, orders));
        },
        4);
}

TEST(ModelOfDeath, of_a_holder_gives_its_lock_and_what_it_wrote_to_the_next) {
    const auto result = explore_killed_holder({});
    EXPECT_EQ(result.failure, "");
    EXPECT_GT(result.executions, 1000U);
}

TEST(ModelOfDeath, of_a_holder_needs_the_watch_and_an_order_of_what_was_seen_of_it) {
    EXPECT_THAT(explore_killed_holder({.watches_life = false}).failure,
                HasSubstr("no thread is left to wake it"));
    // The wake is for a thread that gives back another's lock: the sleeper watches its holder's life.
    EXPECT_EQ(explore_killed_holder({.tells_in_death = false}).failure, "");
    // The kernel's mark is behind a barrier. Either the look at it or taking the lock orders what follows.
    EXPECT_THAT(explore_killed_holder({.is_dead = relaxed, .inherit = relaxed}).failure,
                HasSubstr("data race"));
}

// The queue: a producer may be killed wherever it is. What it has committed is got, whole; what it has not is
// written over by the next producer, which takes the side from it.

struct SharedRing {
    Ring ring;
    Word life;
    explicit SharedRing(Machine& machine) : ring(machine), life(machine, "life", 1) {}
};

constexpr std::uint32_t mortal_producer = 1;

Task<void> put_one(Machine& machine, SharedRing& here, std::uint32_t self, const QueueOrders& orders) {
    auto& ring = here.ring;
    const auto found = co_await ring.put_lock.compare_exchange(0, self, acquire, relaxed);
    if (found != 0) {
        if (found != mortal_producer) co_return;
        const bool dead = co_await is_dead(here.life);
        if (!dead) co_return;
        const auto taken = co_await ring.put_lock.compare_exchange(mortal_producer, self);
        if (taken != mortal_producer) co_return;
    }
    const auto index = co_await ring.puts.load(relaxed);
    const auto gets = co_await ring.gets.load(orders.load_of_gets);
    if (index != gets) {  // there is no room
        co_await ring.put_lock.exchange(0);
        co_return;
    }
    const model::WakesAtDeath pending(machine, ring.get_bell);
    ring.place.write(101 + index);
    co_await finish(machine, ring.puts, index + 1, ring.put_lock, ring.get_bell, orders);
}

// As many items as there will be, and one more for which it may wait to the end.
Task<void> get_all(Machine& machine, SharedRing& here, const QueueOrders& orders) {
    auto& ring = here.ring;
    for (std::uint32_t i = 1; i <= 2; ++i) {
        const auto puts = co_await ring.puts.load(orders.load_of_puts);
        if (puts == i - 1)
            co_await wait_for_other(machine, ring.puts, i - 1, ring.get_bell, orders.load_of_puts);
        if (ring.place.read() != 100 + i) throw model::Failure{"another item than was put"};
        co_await finish(machine, ring.gets, i, ring.get_lock, ring.put_bell, orders);
    }
}

Machine::Result explore_killed_producer(const QueueOrders& orders, std::size_t preemptions) {
    return Machine::explore(
        [&](Machine& machine) {
            auto& here = machine.make<SharedRing>(machine);
            machine.add_mortal(put_one(machine, here, mortal_producer, orders), here.life);
            machine.add(put_one(machine, here, 2, orders));
            machine.add(get_all(machine, here, orders));
            machine.may_sleep_if([&here] { return here.ring.puts.last() == here.ring.gets.last(); });
        },
        preemptions);
}

TEST(ModelOfDeath, of_a_producer_leaves_whole_items_and_wakes_the_consumer) {
    const auto result = explore_killed_producer({}, 2);
    EXPECT_EQ(result.failure, "");
    EXPECT_GT(result.executions, 1000U);
    EXPECT_THAT(explore_killed_producer({.load_of_puts = relaxed}, 2).failure, HasSubstr("data race"));
}

}  // namespace
