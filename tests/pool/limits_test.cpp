// What a pool holds its tasks and workers to: time, CPU time, memory, a budget; and how it ends those that do
// nothing.
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <map>
#include <new>
#include <numeric>
#include <ranges>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include <support/each_way.hpp>
#include <support/eventually.hpp>
#include <support/message_of.hpp>
#include <support/sanitizers.hpp>

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

namespace {

int square(int x) { return x * x; }
int for_ever(int) {
    for (;;) ::pause();
}
int spin(int) {
    volatile unsigned i = 0;
    for (;;) i = i + 1;
}
int burn(int rounds) {
    volatile int sum = 0;
    for (int i = 0; i < rounds; ++i) sum = sum + 1;
    return rounds;
}
int await(mp::Event go, int x) {
    go.wait();
    return x;
}
int tell_and_await(mp::Event begun, mp::Event go) {
    begun.set();
    go.wait();
    return 0;
}

class PoolLimits : public EachStartMethod {};
FOR_EACH_START_METHOD(PoolLimits);

TEST_P(PoolLimits, cpu_time_ends_who_uses_it_and_not_who_waits) {
    mp::Pool pool(2);
    mp::Event go;
    // Not less: where a whole virtual machine is halted for a moment, that counts as time of the task
    // that was just running.
    const auto waits = pool.submit({.cpu_time = 500ms}, await, go, 3);
    EXPECT_THAT(failure_of<chorus::TimedOut>(pool.submit({.cpu_time = 500ms}, spin, 1)),
                HasSubstr("task 2 (spin) used more CPU time than its cpu_time of 0.5"));
    go.set();
    EXPECT_EQ(waits.get(20s), 3);
}

TEST_P(PoolLimits, cpu_time_counts_anew_for_each_task) {
    mp::Pool pool(1);
    mp::Event go;
    go.set();
    for (int i = 0; i < 100; ++i) EXPECT_EQ(pool.submit({.cpu_time = 2s}, await, go, i).get(20s), i);
    EXPECT_EQ(pool.submit(burn, 1000).get(20s), 1000);  // without a limit none is left of those before
}

TEST_P(PoolLimits, of_the_pool_are_for_tasks_that_say_nothing_else) {
    mp::Pool pool(1, {.timeout = 3s, .cpu_time = 500ms});
    EXPECT_THAT(failure_of<chorus::TimedOut>(pool.submit(for_ever, 1)), HasSubstr("timeout of 3 s"));
    EXPECT_THAT(failure_of<chorus::TimedOut>(pool.submit({.timeout = 60s}, spin, 1)),
                HasSubstr("cpu_time of 0.5"));
    EXPECT_THAT(failure_of<chorus::TimedOut>(pool.submit({.timeout = 100ms}, for_ever, 1)),
                HasSubstr("timeout of 0.1"));
    EXPECT_EQ(pool.submit({.timeout = 60s, .cpu_time = 60s}, square, 3).get(20s), 9);
}

// The fields have one order, whatever is limited.
TEST_P(PoolLimits, are_said_in_one_order) {
    mp::Pool pool(1, {.name = "limited", .timeout = 60s, .cpu_time = 60s, .memory = 512_MiB, .budget = 3});
    EXPECT_EQ(
        pool.submit({.timeout = 60s, .cpu_time = 60s, .memory = 512_MiB, .weight = 3}, square, 3).get(20s),
        9);
    EXPECT_EQ(mp::run({.name = "limited", .timeout = 60s, .memory = 512_MiB}, square, 3), 9);
}

int do_badly(int item) {
    if (item == 3) return for_ever(item);
    if (item == 5) throw std::bad_alloc();  // as an allocation beyond .memory does
    if (item == 7) ::raise(SIGKILL);
    return item;
}

TEST_P(PoolLimits, failures_of_an_imap_say_which_item_it_was) {
    std::vector<int> items(10);
    std::iota(items.begin(), items.end(), 0);
    mp::Pool pool(2);
    EXPECT_EQ(pool.apply(square, 3), 9);  // so that the numbers of tasks and items differ
    for (const std::size_t chunk : {1U, 2U}) {
        std::map<std::string, std::size_t> failed;
        auto results = pool.imap_unordered({.chunksize = chunk, .task = {.timeout = 2s, .memory = 512_MiB}},
                                           do_badly, items);
        const auto heed = [&](const auto& error, const char* what) {
            ASSERT_TRUE(error.item());
            failed[what] = *error.item();
            EXPECT_GT(error.task(), *error.item() / chunk);
        };
        for (bool is_over = false; !is_over;) {
            try {
                is_over = !results.next();
            } catch (const chorus::TimedOut& error) {
                heed(error, "late");
            } catch (const chorus::OutOfMemory& error) {
                heed(error, "greedy");
            } catch (const chorus::WorkerDied& error) {
                heed(error, "dead");
            }
        }
        using Failed = std::map<std::string, std::size_t>;
        EXPECT_EQ(failed, chunk == 1 ? (Failed{{"late", 3}, {"greedy", 5}, {"dead", 7}})
                                     : (Failed{{"late", 2}, {"greedy", 4}, {"dead", 6}}));
    }
    try {
        pool.submit({.timeout = 50ms}, for_ever, 1).get(20s);
        ADD_FAILURE();
    } catch (const chorus::TimedOut& error) {
        EXPECT_EQ(error.task(), 17U);
        EXPECT_EQ(error.item(), std::nullopt);
    }
}

TEST_P(PoolLimits, a_timeout_may_be_a_point_in_time) {
    mp::Pool pool(1);
    const auto soon = std::chrono::steady_clock::now() + 200ms;
    EXPECT_THAT(failure_of<chorus::TimedOut>(pool.submit({.timeout = soon}, for_ever, 1)),
                HasSubstr("longer than the time point of its timeout"));
    EXPECT_GE(std::chrono::steady_clock::now(), soon);
    EXPECT_THAT(message_of<chorus::TimedOut>([&] { mp::run({.timeout = soon}, for_ever, 1); }),
                HasSubstr("the time point of its timeout"));
    EXPECT_EQ(pool.submit({.timeout = std::chrono::system_clock::now() + 1h}, square, 3).get(20s), 9);
}

TEST_P(PoolLimits, a_negative_timeout_is_refused) {
    mp::Pool pool(1);
    EXPECT_THROW(pool.submit({.timeout = -1s}, square, 3), chorus::UsageError);
    EXPECT_THROW(pool.submit({.cpu_time = -1s}, square, 3), chorus::UsageError);
    EXPECT_THROW(mp::run({.timeout = -1s}, square, 3), chorus::UsageError);
    EXPECT_THROW(mp::async({.timeout = -1s}, square, 3), chorus::UsageError);
    EXPECT_THROW(mp::Pool(1, {.timeout = -1s}), chorus::UsageError);
}

TEST_P(PoolLimits, crashes_and_timeouts_have_retries_of_their_own) {
    mp::Pool pool(1);
    EXPECT_THAT(failure_of<chorus::TimedOut>(pool.submit({.timeout = 50ms, .retries = 1000}, for_ever, 1)),
                HasSubstr("task 1 (for_ever)"));
    EXPECT_THAT(failure_of<chorus::TimedOut>(pool.submit({.cpu_time = 20ms, .timeout_retries = 2}, spin, 1)),
                HasSubstr("task 2 (spin)"));
    EXPECT_THAT(
        failure_of<chorus::WorkerDied>(pool.submit(
            {.retries = 1, .timeout_retries = 1000}, [](int signal) { return ::raise(signal); }, SIGKILL)),
        HasSubstr("in attempt 2"));
}

TEST_P(PoolLimits, an_initializer_that_hangs_breaks_a_pool_with_a_timeout) {
    mp::Pool pool(1, {.initializer = {for_ever, 1}, .timeout = 100ms});
    EXPECT_THAT(failure_of<chorus::BrokenPool>(pool.submit(square, 1)),
                HasSubstr("not ready within the pool's .timeout of 0.1"));
}

TEST_P(PoolLimits, a_retry_after_close_is_made) {
    mp::RawValue<int> deaths(0);
    mp::Pool pool(1);
    const auto once_more = pool.submit(
        {.retries = 1},
        [](mp::RawValue<int> before) {
            if (before.value()++ == 0) ::raise(SIGKILL);
            return before.value();
        },
        deaths);
    pool.close();
    EXPECT_EQ(once_more.get(20s), 2);
    EXPECT_TRUE(pool.join(20s));
}

// ---- workers stopped from outside ----

TEST_P(PoolLimits,
       idle_workers_that_were_stopped_are_replaced_when_a_task_has_waited_as_long_as_it_may_take) {
    mp::Event begun_a;
    mp::Event begun_b;
    mp::Event go;
    mp::Pool pool(2);
    const std::vector both{pool.submit(tell_and_await, begun_a, go),
                           pool.submit(tell_and_await, begun_b, go)};
    ASSERT_TRUE(begun_a.wait(20s) && begun_b.wait(20s));
    while (pool.worker_pids().size() < 2)
        std::this_thread::yield();  // they may have begun before we are told
    const auto stopped = pool.worker_pids();
    go.set();
    for (const auto& each : both) each.get(20s);
    for (const int pid : stopped) ::kill(pid, SIGSTOP);
    EXPECT_EQ(pool.submit({.timeout = 1s}, square, 3).get(30s), 9);
    for (const int pid : pool.worker_pids()) EXPECT_THAT(stopped, Not(testing::Contains(pid)));
}

// The other worker's too: it may wait for a lock that the stopped one has, until its own time is up.
TEST_P(PoolLimits, a_worker_stopped_anywhere_costs_what_is_running_at_most) {
    mp::Pool pool(2);
    unsigned random = 7;
    for (int round = 0; round < 10; ++round) {
        std::vector<chorus::Future<int>> futures;
        for (int i = 0; i < 200; ++i) futures.push_back(pool.submit({.timeout = 500ms}, square, i));
        const auto pids = pool.worker_pids();
        if (!pids.empty())
            ::kill(pids[(random = random * 1664525U + 1013904223U) / 7 % pids.size()], SIGSTOP);
        int late = 0;
        for (int i = 0; i < 200; ++i) {
            try {
                EXPECT_EQ(futures[static_cast<std::size_t>(i)].get(60s), i * i);
            } catch (const chorus::TimedOut& error) {
                EXPECT_THAT(error.what(), HasSubstr("worker was ended"));
                ++late;
            }
        }
        EXPECT_LE(late, 2);
    }
}

// ---- resizing ----

TEST_P(PoolLimits, a_smaller_pool_lets_workers_go) {
    mp::Event begun_a;
    mp::Event begun_b;
    mp::Event go;
    mp::Pool pool(2);
    const auto a = pool.submit(tell_and_await, begun_a, go);
    const auto b = pool.submit(tell_and_await, begun_b, go);
    ASSERT_TRUE(begun_a.wait(20s) && begun_b.wait(20s));
    while (pool.worker_pids().size() < 2)
        std::this_thread::yield();  // they may have begun before we are told
    pool.resize(1);
    EXPECT_EQ(pool.size(), 1u);
    go.set();
    EXPECT_EQ(a.get(20s) + b.get(20s), 0);
    while (pool.worker_pids().size() > 1) std::this_thread::yield();
    for (int i = 0; i < 50; ++i) EXPECT_EQ(pool.submit(square, i).get(20s), i * i);
    EXPECT_EQ(pool.worker_pids().size(), 1u);
    pool.resize(2);
    for (int i = 0; i < 50; ++i) EXPECT_EQ(pool.submit(square, i).get(20s), i * i);
}

// ---- a budget ----

int count_together(mp::Value<int> now, mp::Value<int> most, int weight) {
    {
        const auto lock = std::scoped_lock(now.get_lock());
        now.value() += weight;
        most.value() = std::max(most.value(), now.value());
    }
    volatile unsigned sum = 0;
    for (unsigned i = 0; i < 100'000; ++i) sum = sum + i;
    const auto lock = std::scoped_lock(now.get_lock());
    now.value() -= weight;
    return weight;
}

template <class Par>
class BudgetOf : public EachWay<Par> {
protected:
    // A task that has its part of the budget until `go`.
    chorus::Future<int> hold_one(typename Par::Pool& pool) {
        const auto holder = pool.submit({.weight = 1}, tell_and_await, begun, go);
        EXPECT_TRUE(begun.wait(20s));
        return holder;
    }
    mp::Event begun;
    mp::Event go;
};
EACH_WAY_SUITE(BudgetOf, ThreadsAndProcesses);

EACH_WAY_TEST(BudgetOf, bounds_the_weights_at_once) {
    mp::Value<int> now(0);
    mp::Value<int> most(0);
    typename TypeParam::Pool pool(4, {.budget = 10});
    std::vector<chorus::Future<int>> futures;
    for (int i = 0; i < 200; ++i) {
        const int weight = i % 7 + 1;
        futures.push_back(
            pool.submit({.weight = static_cast<std::size_t>(weight)}, count_together, now, most, weight));
    }
    for (int i = 0; i < 200; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].get(60s), i % 7 + 1);
    EXPECT_LE(most.value(), 10);
    EXPECT_EQ(now.value(), 0);
}

EACH_WAY_TEST(BudgetOf, a_task_heavier_than_all_goes_alone) {
    typename TypeParam::Pool pool(2, {.budget = 10});
    const auto light = this->hold_one(pool);
    const auto heavy = pool.submit({.weight = 1000}, square, 2);
    const auto behind = pool.submit({.weight = 1}, square, 3);
    EXPECT_EQ(pool.submit(square, 4).get(20s), 16);  // without a weight nothing holds it back
    EXPECT_FALSE(heavy.done());
    EXPECT_FALSE(behind.done());
    EXPECT_TRUE(eventually([&] { return pool.unfinished() == 3; }));
    this->go.set();
    EXPECT_EQ(heavy.get(20s), 4);
    EXPECT_EQ(behind.get(20s), 9);
}

EACH_WAY_TEST(BudgetOf, what_waits_for_it_can_be_cancelled) {
    typename TypeParam::Pool pool(2, {.budget = 1});
    const auto first = this->hold_one(pool);
    const auto second = pool.submit({.weight = 1}, square, 2);
    const auto third = pool.submit({.weight = 1}, square, 3);
    EXPECT_TRUE(second.cancel());
    this->go.set();
    EXPECT_EQ(third.get(20s), 9);
    EXPECT_TRUE(second.cancelled());
}

// It leaves nothing of its weight behind, however the cancelling meets the thread that lets tasks in.
EACH_WAY_TEST(BudgetOf, is_whole_after_any_number_of_cancellations) {
    typename TypeParam::Pool pool(2, {.budget = 10});
    for (int round = 0; round < 300; ++round) {
        const auto first = pool.submit({.weight = 6}, square, 2);
        const auto second = pool.submit({.weight = 10}, square, 3);
        const auto third = pool.submit({.weight = 4}, square, 4);
        second.cancel();
        EXPECT_EQ(first.get(20s), 4);
        EXPECT_EQ(third.get(20s), 16);
    }
    EXPECT_EQ(pool.submit({.weight = 10}, square, 5).get(20s), 25);
}

EACH_WAY_TEST(BudgetOf, shutdown_cancels_what_waits_for_it) {
    typename TypeParam::Pool pool(2, {.budget = 1});
    const auto first = this->hold_one(pool);
    const auto second = pool.submit({.weight = 1}, square, 2);
    pool.shutdown({.wait = false, .cancel_futures = true});
    EXPECT_TRUE(second.cancelled());
    this->go.set();
    EXPECT_TRUE(pool.join(20s));
    EXPECT_EQ(first.get(), 0);
}

EACH_WAY_TEST(BudgetOf, leaving_the_scope_waits_for_what_waits_for_it) {
    std::vector<chorus::Future<int>> futures;
    {
        typename TypeParam::Pool pool(2, {.budget = 3});
        for (int i = 0; i < 50; ++i) futures.push_back(pool.submit({.weight = 2}, square, i));
    }
    for (int i = 0; i < 50; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].get(chorus::now), i * i);
}

// The last of the first tasks is put away while the next ones are submitted and the pool is closed.
EACH_WAY_TEST(BudgetOf, closing_meets_the_end_of_the_task_before) {
    for (int round = 0; round < rounds(TypeParam::are_processes ? 30 : 2'000); ++round) {
        typename TypeParam::Pool pool(2, {.budget = 1});
        pool.submit({.weight = 1}, square, 1).get(20s);
        std::vector<chorus::Future<int>> futures;
        for (int i = 0; i < 4; ++i) futures.push_back(pool.submit({.weight = 1}, square, i));
        pool.close();
        ASSERT_TRUE(pool.join(20s)) << "round " << round;
        for (int i = 0; i < 4; ++i) ASSERT_EQ(futures[static_cast<std::size_t>(i)].get(chorus::now), i * i);
    }
}

TEST(Budget, a_task_may_wait_for_a_heavy_one_of_its_own) {
    mt::Pool pool(2, {.budget = 10});
    const auto outer =
        pool.submit({.weight = 10}, [&] { return pool.submit({.weight = 10}, square, 3).get(20s); });
    EXPECT_EQ(outer.get(20s), 9);
}

TEST_P(PoolLimits, a_weight_is_given_back_by_a_task_that_died_and_kept_by_one_that_is_tried_again) {
    mp::RawValue<int> deaths(0);
    mp::Pool pool(2, {.budget = 1});
    for (int i = 0; i < 5; ++i) {
        failure_of<chorus::WorkerDied>(pool.submit(
            {.weight = 1}, [](int signal) { return ::raise(signal); }, SIGKILL));
        EXPECT_EQ(pool.submit({.weight = 1}, square, i).get(20s), i * i);
    }
}

TEST(ThreadLimits, what_cannot_be_held_to_is_refused) {
    mt::Pool pool(1);
    EXPECT_THROW(pool.submit({.timeout = 1s}, square, 1), chorus::UsageError);
    EXPECT_THROW(pool.submit({.cpu_time = 1s}, square, 1), chorus::UsageError);
    EXPECT_THROW(pool.submit({.memory = 1}, square, 1), chorus::UsageError);
    EXPECT_THROW(mt::Pool(1, {.memory = 1}), chorus::UsageError);
    EXPECT_THROW(mt::Pool(1, {.timeout = 1s}), chorus::UsageError);
}

// ---- the window of an imap ----

std::string of_size(std::size_t size) { return std::string(size, 'x'); }
std::size_t size_of(const std::string& text) { return text.size(); }

TEST_P(PoolLimits, an_imap_holds_its_arguments_to_a_number_of_bytes) {
    int taken = 0;
    auto texts = std::views::iota(0) | std::views::transform([&](int) {
                     ++taken;
                     return std::string(1'000'000, 'x');
                 });
    mp::Pool pool(2);
    auto sizes = pool.imap({.buffersize = 1000, .bytes = 10'000'000}, size_of, texts);
    for (int i = 0; i < 20; ++i) EXPECT_EQ(sizes.next(), 1'000'000u);
    EXPECT_LE(taken, 30);
}

TEST_P(PoolLimits, and_its_results) {
    int taken = 0;
    auto sizes = std::views::iota(0) | std::views::transform([&](int) {
                     ++taken;
                     return std::size_t{1'000'000};
                 });
    mp::Pool pool(2);
    auto texts = pool.imap({.buffersize = 100, .bytes = 10'000'000}, of_size, sizes);
    EXPECT_EQ(texts.next()->size(), 1'000'000u);
    while (pool.unfinished() > 0) std::this_thread::yield();  // what is in flight has all arrived
    for (int i = 0; i < 50; ++i) EXPECT_EQ(texts.next()->size(), 1'000'000u);
    EXPECT_LE(taken, 101);  // of the hundred that went before their sizes were known, none was followed
}

}  // namespace
