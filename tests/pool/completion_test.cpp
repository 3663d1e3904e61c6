// wait, as_completed and TaskGroup, over futures of each kind of pool.
#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include <support/each_way.hpp>
#include <support/eventually.hpp>
#include <support/sanitizers.hpp>

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

namespace {

int square(int x) { return x * x; }
int await(mp::Event go, int x) {
    go.wait();
    return x;
}
int fail_after(mp::Event go) {
    go.wait();
    throw std::out_of_range("failed");
}
int until_asked(chorus::StopToken stop, mp::Event begun) {
    begun.set();
    return stop.wait(20s) ? 1 : 0;
}
int tell_and_wait(mp::Event mine, mp::Event other) {
    mine.set();
    return other.wait(20s) ? 1 : 0;
}

template <class Par>
using CompletionOf = EachWay<Par>;
EACH_WAY_SUITE(CompletionOf, ThreadsAndProcesses);

EACH_WAY_TEST(CompletionOf, first_completed) {
    typename TypeParam::Pool pool(2);
    mp::Event go;
    const auto late = pool.submit(await, go, 1);
    const auto early = pool.submit(square, 2);
    const auto first = chorus::wait(std::vector{late, early}, {.return_when = chorus::FIRST_COMPLETED});
    EXPECT_THAT(first.done, ElementsAre(early));
    EXPECT_THAT(first.not_done, ElementsAre(late));
    go.set();
    const auto all = chorus::wait(std::vector{late, early});
    EXPECT_THAT(all.done, ElementsAre(late, early));
    EXPECT_THAT(all.not_done, IsEmpty());
}

EACH_WAY_TEST(CompletionOf, all_that_is_done_already_counts) {
    typename TypeParam::Pool pool(2);
    std::vector futures{pool.submit(square, 1), pool.submit(square, 2)};
    for (const auto& each : futures) each.get();
    EXPECT_THAT(chorus::wait(futures, {.return_when = chorus::FIRST_COMPLETED}).done,
                ElementsAre(futures[0], futures[1]));
    EXPECT_THAT(chorus::wait(futures, {.timeout = chorus::now}).done, ElementsAre(futures[0], futures[1]));
}

EACH_WAY_TEST(CompletionOf, first_exception) {
    typename TypeParam::Pool pool(3);
    mp::Event go;
    mp::Event never;
    const auto fails = pool.submit(fail_after, go);
    const auto good = pool.submit(square, 3);
    const auto open = pool.submit(await, never, 1);
    good.get();
    EXPECT_THAT(chorus::wait(std::vector{fails, good, open},
                             {.timeout = 20ms, .return_when = chorus::FIRST_EXCEPTION})
                    .done,
                ElementsAre(good));
    go.set();
    const auto waited =
        chorus::wait(std::vector{fails, good, open}, {.return_when = chorus::FIRST_EXCEPTION});
    EXPECT_THAT(waited.done, ElementsAre(fails, good));
    EXPECT_THAT(waited.not_done, ElementsAre(open));
    never.set();
    EXPECT_THAT(chorus::wait(std::vector{good, open}, {.return_when = chorus::FIRST_EXCEPTION}).not_done,
                IsEmpty());  // as ALL_COMPLETED
}

EACH_WAY_TEST(CompletionOf, a_timeout_returns_what_is_done) {
    typename TypeParam::Pool pool(2);
    mp::Event go;
    const auto open = pool.submit(await, go, 1);
    const auto good = pool.submit(square, 3);
    good.get();
    const auto waited =
        chorus::wait(std::vector{open, good, open, good}, {.timeout = 20ms});  // duplicates count once
    EXPECT_THAT(waited.done, ElementsAre(good));
    EXPECT_THAT(waited.not_done, ElementsAre(open));
    go.set();
}

EACH_WAY_TEST(CompletionOf, a_cancelled_one_is_done) {
    typename TypeParam::Pool pool(1);
    mp::Event go;
    const auto running = pool.submit(await, go, 1);
    const auto waiting = pool.submit(square, 3);
    std::thread canceller([&] { EXPECT_TRUE(waiting.cancel()); });
    EXPECT_THAT(chorus::wait(std::vector{running, waiting}, {.return_when = chorus::FIRST_COMPLETED}).done,
                ElementsAre(waiting));
    canceller.join();
    go.set();
}

// A waiter drains the pool's answers itself: it must look again when another thread ends what it waits
// for.
EACH_WAY_TEST(CompletionOf, cancelled_while_somebody_waits) {
    typename TypeParam::Pool pool(1);
    mp::Event go;
    const auto running = pool.submit(await, go, 1);
    for (int i = 0; i < 200; ++i) {
        const auto waiting = pool.submit(square, 3);
        std::thread canceller([&] { waiting.cancel(); });
        EXPECT_THROW(waiting.get(20s), chorus::Cancelled);
        canceller.join();
    }
    go.set();
    EXPECT_EQ(running.get(20s), 1);
}

EACH_WAY_TEST(CompletionOf, as_completed_in_the_order_of_the_ends) {
    typename TypeParam::Pool pool(2);
    mp::Event go;
    const auto last = pool.submit(await, go, 1);
    const auto first = pool.submit(square, 2);
    std::vector<int> values;
    for (auto& future : chorus::as_completed(std::vector{last, first, last})) {
        values.push_back(future.get());
        go.set();
    }
    EXPECT_THAT(values, ElementsAre(4, 1));
}

EACH_WAY_TEST(CompletionOf, as_completed_in_time) {
    typename TypeParam::Pool pool(3);
    mp::Event go;
    std::vector futures{pool.submit(square, 1), pool.submit(await, go, 1), pool.submit(await, go, 2),
                        pool.submit(square, 2)};
    futures[0].get();
    futures[3].get();
    auto completed = chorus::as_completed(futures, 20ms);
    EXPECT_TRUE(completed.next());
    EXPECT_TRUE(completed.next());
    try {
        completed.next();
        ADD_FAILURE() << "it did not time out";
    } catch (const chorus::TimedOut& error) {
        EXPECT_THAT(error.what(), HasSubstr("2 (of 4) futures unfinished"));
    }
    go.set();
}

EACH_WAY_TEST(CompletionOf, many_futures) {
    typename TypeParam::Pool pool(2);
    std::vector<chorus::Future<int>> futures;
    for (int i = 0; i < 10'000; ++i) futures.push_back(pool.submit(square, i % 1000));
    std::size_t count = 0;
    for (auto& future : chorus::as_completed(futures)) count += future.get() >= 0 ? 1U : 0U;
    EXPECT_EQ(count, futures.size());
}

EACH_WAY_TEST(CompletionOf, as_completed_lets_go_of_each) {
    typename TypeParam::Pool pool(2);
    std::vector futures{pool.submit(square, 1), pool.submit(square, 2)};
    std::vector<std::weak_ptr<chorus::detail::worker::FutureState>> states{
        chorus::detail::Access::state(futures[0]), chorus::detail::Access::state(futures[1])};
    auto completed = chorus::as_completed(futures);
    futures.clear();
    auto at = completed.begin();
    const auto which = chorus::detail::Access::state(*at) == states[0].lock() ? 0U : 1U;
    ++at;
    EXPECT_TRUE(eventually([&] { return states[which].expired(); })) << "its worker lets go of it too";
    ++at;
    pool.close();
    pool.join();
    EXPECT_TRUE(states[0].expired());
    EXPECT_TRUE(states[1].expired());
}

EACH_WAY_TEST(CompletionOf, futures_of_several_pools) {
    typename TypeParam::Pool one(1);
    mt::Pool other(1);
    mp::Event go;
    const auto open = one.submit(await, go, 1);
    const auto good = other.submit(square, 2);
    EXPECT_THAT(chorus::wait(std::vector{open, good}, {.return_when = chorus::FIRST_COMPLETED}).done,
                ElementsAre(good));
    go.set();
    EXPECT_EQ(chorus::wait(std::vector{open, good}).done.size(), 2U);
}

EACH_WAY_TEST(CompletionOf, asking_again_and_again_leaves_nothing_with_the_futures) {
    typename TypeParam::Pool pool(1);
    mp::Event go;
    const auto open = pool.submit(await, go, 1);
    for (int i = 0; i < 10'000; ++i)
        EXPECT_EQ(chorus::wait(std::vector{open}, {.timeout = chorus::now}).not_done.size(), 1U);
    go.set();
    open.get(20s);
}

EACH_WAY_TEST(CompletionOf, group_waits_for_its_tasks) {
    chorus::Future<int> future = [] {
        typename TypeParam::TaskGroup group;
        group.start(square, 2);
        return group.start(square, 3);
    }();
    EXPECT_TRUE(future.done());
    EXPECT_EQ(future.get(), 9);
}

TEST(TaskGroup, has_a_worker_for_each_task_whoever_starts_them) {
    for (int round = 0; round < 500; ++round) {
        mt::Barrier both(2);  // each waits for the other
        mt::TaskGroup group;
        const auto start = [&] { group.start([both]() mutable { both.wait(); }); };
        std::thread other(start);
        start();
        other.join();
        group.join();
    }
}

EACH_WAY_TEST(CompletionOf, the_first_failure_cancels_the_rest) {
    mp::Event go;
    mp::Event begun;
    std::vector<chorus::Future<int>> rest;
    try {
        typename TypeParam::TaskGroup group;
        rest.push_back(group.start(until_asked, group.stop_token(), begun));
        begun.wait();
        if (TypeParam::are_processes) rest.push_back(group.start(await, mp::Event(), 1));
        group.start(fail_after, go);
        go.set();
        group.join();
        ADD_FAILURE() << "join() has thrown nothing";
    } catch (const std::out_of_range& error) {
        EXPECT_STREQ(error.what(), "failed");
    }
    ASSERT_TRUE(rest[0].done());
    // All are asked, then worker processes are killed: a thread that polls may have answered before.
    if (!rest[0].cancelled()) {
        EXPECT_EQ(rest[0].get(), 1);
    }
    if (TypeParam::are_processes) {
        EXPECT_TRUE(rest[1].cancelled());
    } else {
        EXPECT_FALSE(rest[0].cancelled());
    }
}

EACH_WAY_TEST(CompletionOf, a_groups_failure_is_thrown_where_its_scope_ends) {
    mp::Event go;
    go.set();
    EXPECT_THROW(
        {
            typename TypeParam::TaskGroup group;
            group.start(fail_after, go);
        },
        std::out_of_range);
}

EACH_WAY_TEST(CompletionOf, an_exception_that_leaves_a_groups_scope_cancels_it) {
    mp::Event begun;
    std::vector<chorus::Future<int>> futures;
    EXPECT_THROW(
        {
            typename TypeParam::TaskGroup group;
            futures.push_back(group.start(until_asked, group.stop_token(), begun));
            begun.wait();
            throw std::length_error("mine");
        },
        std::length_error);
    EXPECT_TRUE(futures[0].done());
}

EACH_WAY_TEST(CompletionOf, tasks_of_a_group_may_wait_for_each_other) {
    mp::Event a;
    mp::Event b;
    typename TypeParam::TaskGroup group;
    const auto one = group.start(tell_and_wait, a, b);
    const auto other = group.start(tell_and_wait, b, a);
    EXPECT_EQ(one.get(20s), 1);
    EXPECT_EQ(other.get(20s), 1);
}

EACH_WAY_TEST(CompletionOf, a_group_of_a_pool) {
    typename TypeParam::Pool pool(2);
    {
        typename TypeParam::TaskGroup group(pool);
        for (int i = 0; i < 100; ++i) group.start(square, i);
    }
    EXPECT_EQ(pool.apply(square, 3), 9);
}

// A thread that has waited for one future leaves the next to the pool's own thread.
EACH_WAY_TEST(CompletionOf, callbacks_come_though_nobody_waits) {
    typename TypeParam::Pool pool(1);
    for (int round = 0; round < rounds(2000); ++round) {
        const auto first = pool.submit(square, round);
        // The answer may come just before we wait for it, or just after.
        for (const auto until = std::chrono::steady_clock::now() + round % 100 * 1us;
             std::chrono::steady_clock::now() < until;) {
        }
        EXPECT_EQ(first.get(20s), round * round);
        std::atomic<bool> told{false};
        pool.submit(square, round).add_done_callback([&](const auto&) { told = true; });
        const auto end = std::chrono::steady_clock::now() + 20s;
        while (!told && std::chrono::steady_clock::now() < end) std::this_thread::yield();
        ASSERT_TRUE(told) << "in round " << round;
    }
}

}  // namespace
