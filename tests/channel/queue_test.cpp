// mp::Queue: as queue.Queue says, between processes, and whatever happens to them.
#include <map>
#include <numeric>
#include <optional>
#include <sstream>
#include <thread>
#include <tuple>
#include <variant>

#include <sys/epoll.h>
#include <sys/resource.h>

#include <channel/channel_support.hpp>
#include <support/sanitizers.hpp>

using testing::ElementsAre;
using testing::HasSubstr;

namespace {

class Queue : public EachStartMethod {};
FOR_EACH_START_METHOD(Queue);

// ---- the rows of CPython's suite ---------------------------------------------------------------

void get_six(mp::Queue<int> queue, mp::Event may_get, mp::Event has_got) {
    may_get.wait();
    for (int i = 0; i < 6; ++i) queue.get();
    has_got.set();
}

TEST_P(Queue, test_put) {
    mp::Queue<int> queue(6);
    mp::Event may_get;
    mp::Event has_got;
    auto child = context().Process({.daemon = true}, get_six, queue, may_get, has_got);
    child.start();
    EXPECT_TRUE(queue.empty());
    EXPECT_FALSE(queue.full());
    queue.put(1);
    queue.put(2, chorus::Deadline());
    queue.put(3, 1s);
    queue.put(4, chorus::now);
    queue.put_nowait(5);
    EXPECT_TRUE(queue.try_put(6));
    EXPECT_FALSE(queue.empty());
    EXPECT_TRUE(queue.full());
    EXPECT_EQ(queue.qsize(), 6U);
    EXPECT_THAT(message_of<chorus::Full>([&] { queue.put(7, chorus::now); }), HasSubstr("6 items"));
    EXPECT_THROW(queue.put_nowait(7), chorus::Full);
    EXPECT_FALSE(queue.try_put(7));
    EXPECT_THROW(queue.put(7, -1s), chorus::Full);
    EXPECT_THROW(queue.put(7, 0s), chorus::Full);
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_THROW(queue.put(7, 50ms), chorus::Full);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 50ms);
    may_get.set();
    has_got.wait();
    EXPECT_TRUE(queue.empty());
    EXPECT_FALSE(queue.full());
    child.join();
    EXPECT_EQ(child.exitcode(), 0);
}

void put_four(mp::Queue<int> queue, mp::Event may_put, mp::Event has_put) {
    may_put.wait();
    for (int i = 2; i < 6; ++i) queue.put(i);
    has_put.set();
}

TEST_P(Queue, test_get) {
    mp::Queue<int> queue;
    mp::Event may_put;
    mp::Event has_put;
    auto child = context().Process({.daemon = true}, put_four, queue, may_put, has_put);
    child.start();
    EXPECT_TRUE(queue.empty());
    may_put.set();
    has_put.wait();
    EXPECT_FALSE(queue.empty());
    EXPECT_EQ(queue.get(), 2);
    EXPECT_EQ(queue.get(1s), 3);
    EXPECT_EQ(queue.get(chorus::now), 4);
    EXPECT_EQ(queue.get_nowait(), 5);
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(queue.try_get(), std::nullopt);
    EXPECT_THROW(queue.get(chorus::now), chorus::Empty);
    EXPECT_THROW(queue.get_nowait(), chorus::Empty);
    EXPECT_THROW(queue.get(-1s), chorus::Empty);
    EXPECT_THROW(queue.get(0s), chorus::Empty);
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_THROW(queue.get(50ms), chorus::Empty);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 50ms);
    child.join();
    EXPECT_EQ(child.exitcode(), 0);
}

void put_ten_more(mp::Queue<int> queue) {
    for (int i = 10; i < 20; ++i) queue.put(i);
}

TEST_P(Queue, test_fork) {
    mp::Queue<int> queue;
    for (int i = 0; i < 10; ++i) queue.put(i);
    auto child = context().Process(put_ten_more, queue);
    child.start();
    for (int i = 0; i < 20; ++i) EXPECT_EQ(queue.get(), i);
    EXPECT_THROW(queue.get_nowait(), chorus::Empty);
    child.join();
}

void consume(mp::Queue<std::optional<int>> queue) {
    while (queue.get()) queue.task_done();
    queue.task_done();
}

TEST(QueueHere, task_done_of_one_that_was_taken_is_never_too_much) {
    mp::Queue<int> queue(50);
    const auto use = [&queue] {
        for (int i = 0; i < 100'000; ++i) {
            queue.put(i);
            queue.get();
            queue.task_done();
        }
    };
    std::thread other(use);
    EXPECT_NO_THROW(use());
    other.join();
    EXPECT_TRUE(queue.join(chorus::now));
}

TEST_P(Queue, test_task_done) {
    mp::Queue<std::optional<int>> queue;
    std::vector<mp::Process> consumers;
    for (int i = 0; i < 4; ++i) consumers.emplace_back(context().Process({.daemon = true}, consume, queue));
    for (auto& consumer : consumers) consumer.start();
    for (int i = 0; i < 10; ++i) queue.put(i);
    EXPECT_TRUE(queue.join());
    EXPECT_TRUE(queue.empty());
    for (int i = 0; i < 4; ++i) queue.put(std::nullopt);
    for (auto& consumer : consumers) {
        consumer.join();
        EXPECT_EQ(consumer.exitcode(), 0);
    }
    EXPECT_TRUE(queue.join(chorus::now));
}

// Before main, from two threads.
const int got_while_static_objects_were_made = [] {
    mp::Queue<int> queue;
    std::thread other([&] { queue.put(7); });
    const int got = queue.get();
    other.join();
    return got;
}();

int what_was_got_then() { return got_while_static_objects_were_made; }

TEST_P(Queue, test_no_import_lock_contention) {
    EXPECT_EQ(got_while_static_objects_were_made, 7);
    EXPECT_EQ(mp::run(what_was_got_then), 7);
}

void hold_for_ever(mp::Lock lock, mp::Event held) {
    lock.acquire();
    held.set();
    for (;;) ::pause();
}

TEST_P(Queue, the_death_of_who_used_one_before_main_is_seen) {
    mp::Lock lock;
    mp::Event held;
    auto child = context().Process(hold_for_ever, lock, held);
    child.start();
    held.wait();
    EXPECT_FALSE(lock.acquire(10ms));
    child.kill();
    EXPECT_THROW(lock.acquire(20s), chorus::OwnerDied);
    lock.recover();
    lock.release();
    child.join();
}

TEST(QueueHere, test_timeout) {
    mp::Queue<int> queue;
    for (const auto timeout : {1ms, 20ms, 200ms}) {
        const auto begin = std::chrono::steady_clock::now();
        EXPECT_THROW(queue.get(timeout), chorus::Empty);
        EXPECT_GE(std::chrono::steady_clock::now() - begin, timeout);
    }
}

struct Reluctant {
    int number = 0;
    bool travels = true;
};

}  // namespace

template <>
struct chorus::codec<Reluctant> {
    static void write(message::Writer& out, const Reluctant& value) {
        out.write_raw(value.number);
        if (!value.travels) throw std::domain_error("does not travel");
    }
    static Reluctant read(message::Reader& in) {
        const int number = in.read_raw<int>();
        if (number < 0) throw std::range_error("cannot be read");
        return {number, true};
    }
};

namespace {

// No feeder: the caller of put is told, nothing was put, and its place is free.
TEST(QueueHere, test_queue_feeder_donot_stop_onexc) {
    mp::Queue<Reluctant> queue(1);
    EXPECT_THROW(queue.put({1, false}), std::domain_error);
    EXPECT_EQ(queue.qsize(), 0U);
    queue.put({2, true}, chorus::now);
    EXPECT_EQ(queue.get().number, 2);
    EXPECT_THROW(queue.put({3, false}, 1s), std::domain_error);
    queue.put({4, true}, chorus::now);
    EXPECT_EQ(queue.get().number, 4);
}

TEST(QueueHere, an_item_that_cannot_be_read_is_gone_and_the_next_arrives) {
    mp::Queue<Reluctant> queue;
    queue.put({-1, true});
    queue.put({2, true});
    EXPECT_THROW(queue.get(), std::range_error);
    EXPECT_EQ(queue.qsize(), 1U);
    EXPECT_EQ(queue.get().number, 2);
}

// What a process meets after a shutdown: 'S' for ShutDown, else the number.
std::string put_and_get_there(mp::Queue<int> queue) {
    std::string met;
    try {
        queue.put(9);
        met += 'p';
    } catch (const chorus::ShutDown&) {
        met += 'S';
    }
    for (int i = 0; i < 3; ++i) {
        try {
            met += std::to_string(queue.get());
        } catch (const chorus::ShutDown&) {
            met += 'S';
        }
    }
    return met + (queue.is_shutdown() ? "!" : "");
}

bool join_there(mp::Queue<int> queue, mp::Event waiting) {
    waiting.set();
    return queue.join(30s);
}

int get_until_told_otherwise(mp::Queue<int> queue, mp::Event waiting) {
    waiting.set();
    try {
        queue.get();
    } catch (const chorus::ShutDown&) {
        return 1;
    }
    return 0;
}

int put_until_told_otherwise(mp::Queue<int> queue, mp::Event waiting) {
    waiting.set();
    try {
        queue.put(5);
    } catch (const chorus::ShutDown&) {
        return 1;
    }
    return 0;
}

TEST_P(Queue, test_shutdown_empty) {
    for (const bool immediate : {false, true}) {
        mp::Queue<int> queue;
        mp::Event waiting;
        auto blocked = mp::async(get_until_told_otherwise, queue, waiting);
        waiting.wait();
        queue.shutdown({.immediate = immediate});
        EXPECT_EQ(blocked.get(), 1) << "a blocked get is woken";
        EXPECT_EQ(mp::run(put_and_get_there, queue), "SSSS!");
        EXPECT_THROW(queue.put(1), chorus::ShutDown);
        EXPECT_THROW(queue.put(1, chorus::now), chorus::ShutDown);
        EXPECT_THROW(queue.try_put(1), chorus::ShutDown);
        EXPECT_THROW(queue.get(), chorus::ShutDown);
        EXPECT_THROW(queue.try_get(), chorus::ShutDown);
        EXPECT_THROW(queue.get_many(3), chorus::ShutDown);
        EXPECT_TRUE(queue.join());
        EXPECT_TRUE(queue.is_shutdown());
    }
}

TEST_P(Queue, test_shutdown_nonempty) {
    mp::Queue<int> queue(2);
    queue.put(1);
    queue.put(2);
    mp::Event waiting;
    mp::Event joining;
    auto blocked = mp::async(put_until_told_otherwise, queue, waiting);
    auto joiner = mp::async(join_there, queue, joining);
    waiting.wait();
    joining.wait();
    queue.shutdown();
    EXPECT_EQ(blocked.get(), 1) << "a blocked put is woken";
    EXPECT_EQ(queue.qsize(), 2U);
    EXPECT_TRUE(queue.full());
    EXPECT_FALSE(joiner.done());
    EXPECT_EQ(mp::run(put_and_get_there, queue), "S12S!");
    EXPECT_FALSE(queue.join(chorus::now)) << "they are not done yet";
    queue.task_done();
    EXPECT_FALSE(queue.join(1ms));
    queue.task_done();
    EXPECT_TRUE(joiner.get());
    EXPECT_THROW(queue.task_done(), chorus::UsageError);
}

TEST_P(Queue, test_shutdown_immediate) {
    mp::Queue<int> queue(2);
    queue.put(1);
    queue.put(2);
    mp::Event waiting;
    mp::Event joining;
    auto blocked = mp::async(put_until_told_otherwise, queue, waiting);
    auto joiner = mp::async(join_there, queue, joining);
    waiting.wait();
    joining.wait();
    queue.shutdown({.immediate = true});
    EXPECT_EQ(blocked.get(), 1);
    EXPECT_TRUE(joiner.get());
    EXPECT_EQ(queue.qsize(), 0U);
    EXPECT_TRUE(queue.empty());
    EXPECT_FALSE(queue.full());
    EXPECT_EQ(mp::run(put_and_get_there, queue), "SSSS!");
    EXPECT_THROW(queue.task_done(), chorus::UsageError);
}

TEST_P(Queue, test_shutdown_immediate_with_unfinished) {
    mp::Queue<int> queue;
    for (int i = 0; i < 5; ++i) queue.put(i);
    queue.get();
    queue.get();
    mp::Event joining;
    auto joiner = mp::async(join_there, queue, joining);
    joining.wait();
    queue.shutdown({.immediate = true});
    EXPECT_FALSE(queue.join(chorus::now)) << "two were taken and are not done";
    queue.task_done();
    EXPECT_FALSE(queue.join(chorus::now));
    EXPECT_FALSE(joiner.done());
    queue.task_done();
    EXPECT_TRUE(joiner.get());
    EXPECT_TRUE(queue.join());
    EXPECT_THROW(queue.task_done(), chorus::UsageError);
}

bool empty_there_then_put(mp::Queue<bool> queue, mp::Queue<bool> back) {
    const bool before = queue.get();
    back.put(queue.empty());
    return before && queue.empty();
}

TEST_P(Queue, test_empty) {
    mp::Queue<bool> there;
    mp::Queue<bool> back;
    EXPECT_TRUE(there.empty());
    auto child = mp::async(empty_there_then_put, there, back);
    there.put(true);
    EXPECT_TRUE(child.get());
    EXPECT_FALSE(back.empty());
    EXPECT_TRUE(back.get());
    EXPECT_TRUE(back.empty());
}

TEST(QueueHere, test_closed) {
    const std::size_t before = settled_descriptors();
    {
        mp::Queue<std::string> queue;
        const auto copy = queue;
        queue.put("x");
        EXPECT_GT(open_descriptors(), before);
    }
    EXPECT_EQ(open_descriptors(), before) << "the last handle closes all";
}

TEST(QueueHere, test_queue_task_done) {
    mp::Queue<int> queue;
    EXPECT_THAT(message_of<chorus::UsageError>([&] { queue.task_done(); }), HasSubstr("more often"));
    queue.put(1);
    EXPECT_FALSE(queue.join(chorus::now));
    queue.task_done();
    EXPECT_TRUE(queue.join());
    EXPECT_THROW(queue.task_done(), chorus::UsageError);
}

TEST(QueueHere, test_nowait) {
    mp::Queue<int> queue(3);
    for (int i = 0; i < 3; ++i) queue.put_nowait(i);
    EXPECT_THROW(queue.put_nowait(3), chorus::Full);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(queue.get_nowait(), i);
    EXPECT_THROW(queue.get_nowait(), chorus::Empty);
}

TEST(QueueHere, test_shutdown_all_methods_in_one_thread) {
    mp::Queue<int> queue(2);
    queue.put(1);
    queue.shutdown();
    queue.shutdown();
    EXPECT_THROW(queue.put(2), chorus::ShutDown);
    EXPECT_THROW(queue.put_nowait(2), chorus::ShutDown);
    EXPECT_THROW(queue.put_many(std::vector{2, 3}), chorus::ShutDown);
    EXPECT_EQ(queue.get(), 1);
    EXPECT_THROW(queue.get(), chorus::ShutDown);
    EXPECT_THROW(queue.get(-1s), chorus::ShutDown);
    EXPECT_THROW(queue.get_nowait(), chorus::ShutDown);
    queue.task_done();
    EXPECT_TRUE(queue.join());
}

TEST(QueueHere, test_shutdown_immediate_all_methods_in_one_thread) {
    mp::Queue<int> queue(2);
    queue.put(1);
    queue.shutdown();
    queue.shutdown({.immediate = true});
    queue.shutdown();
    EXPECT_THROW(queue.put(2), chorus::ShutDown);
    EXPECT_THROW(queue.get(), chorus::ShutDown);
    EXPECT_THROW(queue.get_nowait(), chorus::ShutDown);
    EXPECT_EQ(queue.qsize(), 0U);
    EXPECT_TRUE(queue.join());
}

// Python allows it too: what is done may be said before it was got. The rest is thrown away with the queue.
TEST(QueueHere, more_said_to_be_done_than_was_got_when_it_is_shut_down_at_once) {
    mp::Queue<int> queue;
    for (int i = 0; i < 3; ++i) queue.put(i);
    queue.task_done();
    queue.task_done();
    queue.shutdown({.immediate = true});
    EXPECT_TRUE(queue.join(chorus::now));
    EXPECT_THROW(queue.task_done(), chorus::UsageError);
}

// A waiter that is about to sleep has looked for the last time a moment ago.
TEST(QueueHere, a_shutdown_is_not_slept_through) {
    for (int round = 0; round < rounds(2000); ++round) {
        mp::Queue<int> queue;
        std::atomic<bool> looks{false};
        std::chrono::steady_clock::duration took{};
        std::thread getter([&] {
            looks = true;
            const auto begin = std::chrono::steady_clock::now();
            EXPECT_THROW(queue.get(20s), chorus::ShutDown);
            took = std::chrono::steady_clock::now() - begin;
        });
        while (!looks) std::this_thread::yield();
        for (const auto until = std::chrono::steady_clock::now() + round % 200 * 500ns;
             std::chrono::steady_clock::now() < until;) {
        }
        queue.shutdown();
        getter.join();
        ASSERT_LT(took, 20s) << "in round " << round;
    }
}

TEST(QueueHere, test_shutdown_immediate_all_methods_in_many_threads) {
    for (const bool immediate : {false, true}) {
        mp::Queue<int> queue(4);
        std::atomic<int> ended{0};
        std::atomic<int> got{0};
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&] {
                EXPECT_THROW(for (;;) queue.put(1), chorus::ShutDown);
                ++ended;
            });
            threads.emplace_back([&] {
                EXPECT_THROW(
                    for (;;) {
                        queue.get();
                        queue.task_done();
                        ++got;
                    },
                    chorus::ShutDown);
                ++ended;
            });
        }
        while (got < 1000) std::this_thread::yield();
        queue.shutdown({.immediate = immediate});
        for (auto& thread : threads) thread.join();
        EXPECT_EQ(ended, 8);
        EXPECT_TRUE(queue.empty());
        EXPECT_TRUE(queue.join());
    }
}

TEST(QueueHere, test_shutdown_immediate_get) {
    mp::Queue<int> queue;
    std::vector<std::thread> getters;
    for (int i = 0; i < 2; ++i) getters.emplace_back([&] { EXPECT_THROW(queue.get(), chorus::ShutDown); });
    queue.shutdown({.immediate = true});
    for (auto& getter : getters) getter.join();
}

TEST(QueueHere, test_shutdown_put) {
    for (const bool immediate : {false, true}) {
        mp::Queue<int> queue(1);
        queue.put(0);
        std::vector<std::thread> putters;
        for (int i = 0; i < 3; ++i)
            putters.emplace_back([&] { EXPECT_THROW(queue.put(1), chorus::ShutDown); });
        queue.shutdown({.immediate = immediate});
        for (auto& putter : putters) putter.join();
        EXPECT_EQ(queue.qsize(), immediate ? 0U : 1U);
    }
}

TEST(QueueHere, test_shutdown_join) {
    for (const bool immediate : {false, true}) {
        mp::Queue<int> queue;
        queue.put(1);
        queue.put(2);
        std::vector<std::thread> joiners;
        for (int i = 0; i < 3; ++i) joiners.emplace_back([&] { EXPECT_TRUE(queue.join()); });
        queue.shutdown({.immediate = immediate});
        if (!immediate) {
            for (int i = 0; i < 2; ++i) {
                queue.get();
                queue.task_done();
            }
        }
        for (auto& joiner : joiners) joiner.join();
    }
}

TEST(QueueHere, test_shutdown_immediate_put_join) {
    mp::Queue<int> queue(1);
    queue.put(0);
    std::thread putter([&] { EXPECT_THROW(queue.put(1), chorus::ShutDown); });
    std::thread joiner([&] { EXPECT_TRUE(queue.join()); });
    queue.shutdown({.immediate = true});
    putter.join();
    joiner.join();
    EXPECT_TRUE(queue.empty());
}

void work_until_shut_down(mp::Queue<int> queue, mp::Queue<int> results) {
    for (const int item : queue) {
        results.put(item);
        queue.task_done();
    }
}

TEST_P(Queue, test_shutdown_get_task_done_join) {
    mp::Queue<int> queue(10);
    mp::Queue<int> results;
    std::vector<mp::Process> workers;
    for (int i = 0; i < 3; ++i) workers.emplace_back(context().Process(work_until_shut_down, queue, results));
    for (auto& worker : workers) worker.start();
    constexpr int items = 500;
    for (int i = 0; i < items; ++i) queue.put(i);
    queue.shutdown();
    EXPECT_TRUE(queue.join());
    for (auto& worker : workers) {
        worker.join();
        EXPECT_EQ(worker.exitcode(), 0);
    }
    std::vector<int> got(items);
    for (int i = 0; i < items; ++i) ++got[static_cast<std::size_t>(results.get_nowait())];
    EXPECT_THAT(got, testing::Each(1));
    EXPECT_TRUE(results.empty());
}

void put_numbers(mp::Queue<std::uint64_t> queue, std::uint64_t producer, std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) queue.put(producer << 32 | i);
}
std::vector<std::uint64_t> get_numbers(mp::Queue<std::uint64_t> queue) {
    std::vector<std::uint64_t> got;
    for (const auto number : queue) got.push_back(number);
    return got;
}

// QU SimpleQueue.test_many_threads and test_order, by processes.
TEST_P(Queue, several_producers_and_consumers_lose_and_double_nothing) {
    for (const std::size_t maxsize : {std::size_t{0}, std::size_t{3}}) {
        mp::Queue<std::uint64_t> queue(maxsize);
        constexpr std::uint64_t each = 3000;
        std::vector<chorus::Future<std::vector<std::uint64_t>>> consumers;
        for (int i = 0; i < 3; ++i) consumers.push_back(mp::async(get_numbers, queue));
        std::vector<mp::Process> producers;
        for (std::uint64_t i = 0; i < 3; ++i)
            producers.emplace_back(context().Process(put_numbers, queue, i, each));
        for (auto& producer : producers) producer.start();
        for (auto& producer : producers) producer.join();
        queue.shutdown();
        std::map<std::uint64_t, int> seen;
        for (auto& consumer : consumers) {
            std::map<std::uint64_t, std::uint64_t> last;
            for (const std::uint64_t number : consumer.get()) {
                ++seen[number];
                const auto [place, is_first] = last.emplace(number >> 32, number);
                if (is_first) continue;
                EXPECT_LT(std::exchange(place->second, number), number)
                    << "each producer's items come in order";
            }
        }
        EXPECT_EQ(seen.size(), 3 * each);
        for (const auto& [number, times] : seen) ASSERT_EQ(times, 1) << number;
    }
}

}  // namespace
