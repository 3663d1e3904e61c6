// The queues of threads. The first part follows CPython's test_queue.py and runs for FIFO, LIFO and priority.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <functional>
#include <latch>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <pthread.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chorus/threading.hpp>
#include <support/until_asleep.hpp>

namespace mt = chorus::threading;
using namespace std::chrono_literals;
using chorus::Empty;
using chorus::Full;
using chorus::ShutDown;
using chorus::UsageError;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

constexpr std::size_t capacity = 2;  // CPython's QUEUE_SIZE

struct InOrder {
    template <class T>
    using Queue = mt::Queue<T>;
    static std::vector<int> order(std::vector<int> put) { return put; }
};
struct Reversed {
    template <class T>
    using Queue = mt::LifoQueue<T>;
    static std::vector<int> order(std::vector<int> put) {
        std::reverse(put.begin(), put.end());
        return put;
    }
};
struct Sorted {
    template <class T>
    using Queue = mt::PriorityQueue<T>;
    static std::vector<int> order(std::vector<int> put) {
        std::sort(put.begin(), put.end());
        return put;
    }
};

template <class Kind>
class ThreadQueue : public testing::Test {
public:
    template <class T>
    using Queue = typename Kind::template Queue<T>;
};
struct KindNames {
    template <class Kind>
    static std::string GetName(int) {
        if (std::is_same_v<Kind, InOrder>) return "fifo";
        return std::is_same_v<Kind, Reversed> ? "lifo" : "priority";
    }
};
using Kinds = testing::Types<InOrder, Reversed, Sorted>;
TYPED_TEST_SUITE(ThreadQueue, Kinds, KindNames);

/// Starts them all; waits for them all at the end.
class Crew {
public:
    ~Crew() { join(); }
    template <class Function>
    mt::Thread& add(Function function) {
        threads_.push_back(mt::Thread(std::move(function)));
        threads_.back().start();
        return threads_.back();
    }
    void join() {
        for (auto& thread : threads_) thread.join();
        threads_.clear();
    }
    void until_asleep() {
        for (auto& thread : threads_) ::until_asleep(thread);
    }

private:
    std::vector<mt::Thread> threads_;
};

template <class Queue>
void fill(Queue& q) {
    for (int i = 0; i < static_cast<int>(capacity); ++i) q.put(i);
}

template <class Error, class Call>
void expect_text(Call call, const std::string& part) {
    try {
        call();
        ADD_FAILURE() << "nothing was thrown; expected: " << part;
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr(part));
    }
}

// ---- as test_queue.py ---------------------------------------------------------------------------

TYPED_TEST(ThreadQueue, test_basic) {
    typename TestFixture::template Queue<int> q(3);
    for (int round = 0; round < 2; ++round) {
        EXPECT_TRUE(q.empty());
        EXPECT_FALSE(q.full());
        for (const int item : {111, 333, 222}) q.put(item);
        EXPECT_EQ(q.qsize(), 3U);
        EXPECT_FALSE(q.empty());
        EXPECT_TRUE(q.full());
        EXPECT_THROW(q.put(4, chorus::now), Full);
        const auto begin = std::chrono::steady_clock::now();
        EXPECT_THROW(q.put(4, 10ms), Full);
        EXPECT_GE(std::chrono::steady_clock::now() - begin, 10ms);
        EXPECT_EQ((std::vector<int>{q.get(), q.get(), q.get()}), TypeParam::order({111, 333, 222}));
        EXPECT_TRUE(q.empty());
        EXPECT_THROW(q.get(chorus::now), Empty);
        const auto middle = std::chrono::steady_clock::now();
        EXPECT_THROW(q.get(10ms), Empty);
        EXPECT_GE(std::chrono::steady_clock::now() - middle, 10ms);
    }
}

TYPED_TEST(ThreadQueue, a_blocked_put_goes_on_when_an_item_is_taken) {
    typename TestFixture::template Queue<int> q(capacity);
    fill(q);
    Crew crew;
    crew.add([&] { q.put(7); });
    crew.add([&] { q.put(8, 60s); });
    crew.until_asleep();
    std::vector<int> got;
    for (int i = 0; i < 4; ++i) got.push_back(q.get());
    crew.join();
    EXPECT_THAT(got, testing::UnorderedElementsAre(0, 1, 7, 8));
}

TYPED_TEST(ThreadQueue, a_blocked_get_goes_on_when_an_item_is_put) {
    typename TestFixture::template Queue<int> q;
    Crew crew;
    std::atomic<int> sum{0};
    crew.add([&] { sum += q.get(); });
    crew.add([&] { sum += q.get(60s); });
    crew.until_asleep();
    q.put(1);
    q.put(10);
    crew.join();
    EXPECT_EQ(sum, 11);
}

TYPED_TEST(ThreadQueue, test_queue_task_done) {
    typename TestFixture::template Queue<int> q;
    expect_text<UsageError>([&] { q.task_done(); }, "more often than items were put");
    q.put(1);
    q.task_done();  // Python counts what was put, not what was taken
    EXPECT_THROW(q.task_done(), UsageError);
    EXPECT_EQ(q.get(), 1);
    EXPECT_THROW(q.task_done(), UsageError);
}

TYPED_TEST(ThreadQueue, test_queue_join) {
    // A queue may be joined several times, and anew after more was put.
    typename TestFixture::template Queue<int> q;
    Crew crew;
    std::atomic<int> sum{0};
    for (int i = 0; i < 2; ++i) {
        crew.add([&] {
            for (int item = q.get(); item >= 0; item = q.get()) {
                sum += item;
                q.task_done();
            }
            q.task_done();
        });
    }
    EXPECT_TRUE(q.join());
    for (int round = 1; round <= 2; ++round) {
        for (int i = 0; i < 100; ++i) q.put(i);
        EXPECT_TRUE(q.join());
        EXPECT_EQ(sum, 4950 * round);
    }
    q.put(-1);
    q.put(-1);
    EXPECT_TRUE(q.join(60s));
    EXPECT_THROW(q.task_done(), UsageError);
}

TYPED_TEST(ThreadQueue, join_waits_at_most_until_its_deadline) {
    typename TestFixture::template Queue<int> q;
    EXPECT_TRUE(q.join(chorus::now));
    q.put(1);
    EXPECT_FALSE(q.join(chorus::now));
    EXPECT_FALSE(q.join(-1s));
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_FALSE(q.join(20ms));
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 20ms);
    q.get();
    EXPECT_FALSE(q.join(chorus::now));
    q.task_done();
    EXPECT_TRUE(q.join(chorus::now));
}

TYPED_TEST(ThreadQueue, test_negative_timeout_raises_exception) {
    // Not an error of its own: as if there were no time left, as everywhere here.
    typename TestFixture::template Queue<int> q(1);
    EXPECT_THROW(q.get(-1s), Empty);
    EXPECT_THROW(q.get(0s), Empty);
    q.put(1, -1s);
    EXPECT_THROW(q.put(2, -1s), Full);
    EXPECT_THROW(q.put(2, 0s), Full);
    EXPECT_EQ(q.get(-1s), 1);
}

TYPED_TEST(ThreadQueue, test_nowait) {
    typename TestFixture::template Queue<int> q(capacity);
    for (int i = 0; i < static_cast<int>(capacity); ++i) q.put_nowait(1);
    expect_text<Full>([&] { q.put_nowait(1); }, "2 items are in it of at most 2");
    EXPECT_FALSE(q.try_put(1));
    for (int i = 0; i < static_cast<int>(capacity); ++i) EXPECT_EQ(q.get_nowait(), 1);
    expect_text<Empty>([&] { q.get_nowait(); }, "empty");
    EXPECT_EQ(q.try_get(), std::nullopt);
    EXPECT_TRUE(q.try_put(3));
    EXPECT_EQ(q.try_get(), 3);
}

TYPED_TEST(ThreadQueue, test_shrinking_queue) {
    typename TestFixture::template Queue<int> q(3);
    for (int i = 1; i <= 3; ++i) q.put(i);
    EXPECT_THROW(q.put_nowait(4), Full);
    EXPECT_EQ(q.qsize(), 3U);
    q.set_maxsize(2);
    EXPECT_EQ(q.maxsize(), 2U);
    EXPECT_THROW(q.put_nowait(4), Full);
    EXPECT_TRUE(q.full());
    q.get();
    EXPECT_THROW(q.put_nowait(4), Full);
    q.get();
    q.put_nowait(4);
}

TYPED_TEST(ThreadQueue, a_larger_maxsize_lets_blocked_puts_go_on) {
    typename TestFixture::template Queue<int> q(capacity);
    fill(q);
    Crew crew;
    for (int i = 0; i < 3; ++i) crew.add([&] { q.put(9); });
    crew.until_asleep();
    q.set_maxsize(0);
    crew.join();
    EXPECT_EQ(q.qsize(), capacity + 3);
    EXPECT_FALSE(q.full());
}

TYPED_TEST(ThreadQueue, test_shutdown_empty) {
    typename TestFixture::template Queue<int> q;
    q.shutdown();
    expect_text<ShutDown>([&] { q.put(1); }, "nothing more can be put");
    expect_text<ShutDown>([&] { q.get(); }, "all that was in it has been taken");
}

TYPED_TEST(ThreadQueue, test_shutdown_nonempty) {
    typename TestFixture::template Queue<int> q;
    q.put(1);
    q.shutdown();
    EXPECT_EQ(q.get(), 1);
    EXPECT_THROW(q.get(), ShutDown);
}

TYPED_TEST(ThreadQueue, test_shutdown_immediate) {
    typename TestFixture::template Queue<int> q;
    q.put(1);
    q.shutdown({.immediate = true});
    expect_text<ShutDown>([&] { q.get(); }, "what was in it is gone");
}

template <class Queue>
void expect_shut_for_puts(Queue& q) {
    EXPECT_TRUE(q.is_shutdown());
    EXPECT_THROW(q.put(9), ShutDown);
    EXPECT_THROW(q.put(9, 60s), ShutDown);
    EXPECT_THROW(q.put(9, chorus::now), ShutDown);
    EXPECT_THROW(q.put_nowait(9), ShutDown);
    EXPECT_THROW(q.try_put(9), ShutDown);
    EXPECT_THROW(q.put_many(std::vector<int>{9}), ShutDown);
}
template <class Queue>
void expect_shut_for_gets(Queue& q) {
    EXPECT_THROW(q.get(), ShutDown);
    EXPECT_THROW(q.get(60s), ShutDown);
    EXPECT_THROW(q.get(chorus::now), ShutDown);
    EXPECT_THROW(q.get_nowait(), ShutDown);
    EXPECT_THROW(q.try_get(), ShutDown);
    EXPECT_THROW(q.get_many(3), ShutDown);
    EXPECT_EQ(q.begin(), q.end());
}

TYPED_TEST(ThreadQueue, test_shutdown_all_methods_in_one_thread) {
    typename TestFixture::template Queue<int> q(capacity);
    EXPECT_FALSE(q.is_shutdown());
    fill(q);
    q.shutdown();
    expect_shut_for_puts(q);
    EXPECT_EQ(q.qsize(), capacity);
    EXPECT_TRUE(q.full());
    EXPECT_FALSE(q.empty());
    EXPECT_FALSE(q.join(chorus::now));
    q.get();
    EXPECT_FALSE(q.full());
    expect_shut_for_puts(q);
    q.task_done();
    EXPECT_FALSE(q.join(chorus::now));
    q.get_nowait();
    expect_shut_for_gets(q);
    q.task_done();
    EXPECT_TRUE(q.join());
    EXPECT_TRUE(q.empty());
    EXPECT_THROW(q.task_done(), UsageError);
    q.shutdown();
    EXPECT_TRUE(q.is_shutdown());
}

TYPED_TEST(ThreadQueue, test_shutdown_immediate_all_methods_in_one_thread) {
    typename TestFixture::template Queue<int> q(capacity);
    fill(q);
    q.shutdown({.immediate = true});
    expect_shut_for_puts(q);
    expect_shut_for_gets(q);
    EXPECT_EQ(q.qsize(), 0U);
    EXPECT_TRUE(q.empty());
    EXPECT_FALSE(q.full());
    EXPECT_TRUE(q.join());
    EXPECT_THROW(q.task_done(), UsageError);
    q.shutdown();  // is never opened again, nor made to drain
    EXPECT_THROW(q.get(), ShutDown);
}

TYPED_TEST(ThreadQueue, shutdown_may_be_made_immediate_later) {
    typename TestFixture::template Queue<int> q;
    fill(q);
    q.shutdown();
    EXPECT_EQ(q.qsize(), capacity);
    q.shutdown({.immediate = true});
    EXPECT_EQ(q.qsize(), 0U);
    EXPECT_THROW(q.get(), ShutDown);
    EXPECT_TRUE(q.join());
}

TYPED_TEST(ThreadQueue, after_an_immediate_shutdown_what_was_taken_is_still_to_be_done) {
    typename TestFixture::template Queue<int> q;
    for (int i = 0; i < 3; ++i) q.put(i);
    q.get();
    q.shutdown({.immediate = true});
    EXPECT_FALSE(q.join(chorus::now));
    q.task_done();
    EXPECT_TRUE(q.join());
    EXPECT_THROW(q.task_done(), UsageError);
}

TYPED_TEST(ThreadQueue, an_immediate_shutdown_counts_no_item_twice_as_done) {
    typename TestFixture::template Queue<int> q;
    for (int i = 0; i < 3; ++i) q.put(i);
    q.task_done();
    q.task_done();
    q.get();
    q.shutdown({.immediate = true});
    EXPECT_TRUE(q.join());
    EXPECT_THROW(q.task_done(), UsageError);
}

// Many threads put, get and finish while one shuts down; each leaves by ShutDown.
template <class Queue>
void shut_down_among_many(Queue q, bool immediately) {
    constexpr int threads = 4;
    constexpr int at_least = 100;
    std::atomic<int> put{0};
    std::atomic<int> got{0};
    std::atomic<int> ended{0};
    Crew crew;
    for (int i = 0; i < threads; ++i) {
        crew.add([&] {
            try {
                for (;;) {
                    q.put(1);
                    ++put;
                }
            } catch (const ShutDown&) {
                ++ended;
            }
        });
        crew.add([&] {
            try {
                for (;;) {
                    q.get();
                    ++got;
                    q.task_done();
                }
            } catch (const ShutDown&) {
                ++ended;
            }
        });
    }
    Crew joiners;
    for (int i = 0; i < threads; ++i) joiners.add([&] { q.join(); });
    while (got < at_least) std::this_thread::yield();
    q.shutdown({.immediate = immediately});
    crew.join();
    joiners.join();
    EXPECT_EQ(ended, 2 * threads);
    EXPECT_TRUE(q.empty());
    EXPECT_TRUE(q.join());
    EXPECT_THROW(q.task_done(), UsageError);
    if (immediately) {
        EXPECT_LE(got, put);
    } else {
        EXPECT_EQ(got, put);
    }
}

TYPED_TEST(ThreadQueue, test_shutdown_all_methods_in_many_threads) {
    shut_down_among_many(typename TestFixture::template Queue<int>(20), false);
    shut_down_among_many(typename TestFixture::template Queue<int>(), false);
}

TYPED_TEST(ThreadQueue, test_shutdown_immediate_all_methods_in_many_threads) {
    shut_down_among_many(typename TestFixture::template Queue<int>(20), true);
    shut_down_among_many(typename TestFixture::template Queue<int>(), true);
}

template <class Queue>
void shut_down_getters(bool immediately) {
    Queue q;
    std::atomic<int> told{0};
    Crew crew;
    for (int i = 0; i < 2; ++i) {
        crew.add([&] {
            EXPECT_THROW(q.get(), ShutDown);
            ++told;
        });
    }
    crew.add([&] { EXPECT_THROW(q.get_many(2, 60s), ShutDown); });
    crew.until_asleep();
    EXPECT_EQ(told, 0);
    q.shutdown({.immediate = immediately});
    crew.join();
    EXPECT_EQ(told, 2);
}

TYPED_TEST(ThreadQueue, test_shutdown_get) {
    shut_down_getters<typename TestFixture::template Queue<int>>(false);
}

TYPED_TEST(ThreadQueue, test_shutdown_immediate_get) {
    shut_down_getters<typename TestFixture::template Queue<int>>(true);
}

template <class Queue>
void shut_down_putters(bool immediately) {
    Queue q(capacity);
    fill(q);
    Crew crew;
    crew.add([&] { EXPECT_THROW(q.put(4), ShutDown); });
    crew.add([&] { EXPECT_THROW(q.put(5, 60s), ShutDown); });
    crew.add([&] { EXPECT_THROW(q.put_many(std::vector<int>{6, 7}), ShutDown); });
    crew.until_asleep();
    q.shutdown({.immediate = immediately});
    crew.join();
    EXPECT_EQ(q.qsize(), immediately ? 0U : capacity);
}

TYPED_TEST(ThreadQueue, test_shutdown_put) {
    shut_down_putters<typename TestFixture::template Queue<int>>(false);
}

TYPED_TEST(ThreadQueue, test_shutdown_immediate_put) {
    shut_down_putters<typename TestFixture::template Queue<int>>(true);
}

template <class Queue>
void shut_down_joiners(bool immediately) {
    Queue q;
    fill(q);
    std::atomic<int> joined{0};
    Crew crew;
    for (int i = 0; i < 2; ++i) {
        crew.add([&] {
            EXPECT_TRUE(q.join());
            ++joined;
        });
    }
    crew.until_asleep();
    q.shutdown({.immediate = immediately});
    if (!immediately) {
        for (std::size_t i = 0; i < capacity; ++i) {
            EXPECT_EQ(joined, 0);
            q.get();
            q.task_done();
        }
    }
    crew.join();
    EXPECT_EQ(joined, 2);
}

TYPED_TEST(ThreadQueue, test_shutdown_join) {
    shut_down_joiners<typename TestFixture::template Queue<int>>(false);
}

TYPED_TEST(ThreadQueue, test_shutdown_immediate_join) {
    shut_down_joiners<typename TestFixture::template Queue<int>>(true);
}

template <class Queue>
void shut_down_putters_and_joiners(bool immediately) {
    Queue q(capacity);
    fill(q);
    Crew crew;
    crew.add([&] { EXPECT_THROW(q.put(5), ShutDown); });
    crew.add([&] { EXPECT_TRUE(q.join()); });
    crew.until_asleep();
    q.shutdown({.immediate = immediately});
    if (!immediately) {
        for (std::size_t i = 0; i < capacity; ++i) {
            q.get();
            q.task_done();
        }
    }
    crew.join();
    EXPECT_EQ(q.qsize(), 0U);
}

TYPED_TEST(ThreadQueue, test_shutdown_put_join) {
    shut_down_putters_and_joiners<typename TestFixture::template Queue<int>>(false);
}

TYPED_TEST(ThreadQueue, test_shutdown_immediate_put_join) {
    shut_down_putters_and_joiners<typename TestFixture::template Queue<int>>(true);
}

TYPED_TEST(ThreadQueue, test_shutdown_get_task_done_join) {
    typename TestFixture::template Queue<int> q(capacity);
    fill(q);
    std::atomic<int> got{0};
    std::latch both_got(2);
    Crew crew;
    for (int i = 0; i < 2; ++i) {
        crew.add([&] {
            q.get();
            ++got;
            both_got.arrive_and_wait();
            EXPECT_THROW(q.get(), ShutDown);
            q.task_done();
            EXPECT_TRUE(q.join());
        });
    }
    both_got.wait();
    q.shutdown();
    crew.join();
    EXPECT_EQ(got, 2);
}

// ---- more than one at once, and one handle after another ---------------------------------------------

TYPED_TEST(ThreadQueue, copies_of_a_handle_are_the_same_queue) {
    typename TestFixture::template Queue<std::string> q({.maxsize = 1});
    auto copy = q;
    mt::Thread thread(
        [](typename TestFixture::template Queue<std::string> theirs) { theirs.put("from there"); }, q);
    thread.start();
    EXPECT_EQ(copy.get(), "from there");
    thread.join();
    copy.shutdown();
    EXPECT_TRUE(q.is_shutdown());
}

TYPED_TEST(ThreadQueue, put_many_and_get_many) {
    typename TestFixture::template Queue<int> q;
    const std::vector<int> many{1, 2, 3, 4, 5};
    EXPECT_EQ(q.put_many(many), 5U);
    EXPECT_EQ(q.qsize(), 5U);
    EXPECT_TRUE(q.get_many(0).empty());
    auto got = q.get_many(2);
    EXPECT_EQ(got.size(), 2U);
    for (const int item : q.get_many(std::numeric_limits<std::size_t>::max())) got.push_back(item);
    EXPECT_EQ(got, TypeParam::order(many));
    EXPECT_THROW(q.get_many(1, chorus::now), Empty);
    EXPECT_THROW(q.get_many(1, 1ms), Empty);
    EXPECT_EQ(q.put_many(std::vector<int>{}), 0U);
}

TYPED_TEST(ThreadQueue, put_many_waits_for_room_as_often_as_it_must) {
    typename TestFixture::template Queue<int> q(capacity);
    std::vector<int> many(1000);
    std::iota(many.begin(), many.end(), 0);
    EXPECT_EQ(q.put_many(many, chorus::now), capacity) << "says how many had room";
    EXPECT_EQ(q.put_many(many, 1ms), 0U);
    EXPECT_EQ(q.get_many(9).size(), capacity);
    Crew crew;
    crew.add([&] { EXPECT_EQ(q.put_many(many), many.size()); });
    std::vector<int> got;
    while (got.size() < many.size()) {
        for (const int item : q.get_many(3)) got.push_back(item);
    }
    std::sort(got.begin(), got.end());
    EXPECT_EQ(got, many);
}

TYPED_TEST(ThreadQueue, put_many_wakes_as_many_as_it_has_items_for) {
    typename TestFixture::template Queue<int> q;
    std::atomic<int> sum{0};
    Crew crew;
    for (int i = 0; i < 4; ++i) crew.add([&] { sum += q.get(); });
    crew.until_asleep();
    q.put_many(std::vector<int>{1, 2, 3, 4});
    crew.join();
    EXPECT_EQ(sum, 10);
}

TYPED_TEST(ThreadQueue, range_for_ends_when_it_is_shut_down_and_empty) {
    typename TestFixture::template Queue<int> q;
    int sum = 0;
    Crew crew;
    crew.add([&] {
        for (int& item : q) sum += item;
    });
    for (int i = 1; i <= 1000; ++i) q.put(i);
    q.shutdown();
    crew.join();
    EXPECT_EQ(sum, 500500);
}

TYPED_TEST(ThreadQueue, fifty_producers_and_fifty_consumers_lose_and_double_nothing) {
    constexpr int each = 200;
    constexpr int pairs = 50;
    for (const std::size_t maxsize : {0U, 7U}) {
        typename TestFixture::template Queue<int> q(maxsize);
        std::vector<std::vector<int>> got(pairs);
        Crew crew;
        for (int i = 0; i < pairs; ++i) {
            crew.add([&q, i] {
                for (int k = 0; k < each; ++k) q.put(i * each + k);
            });
            crew.add([&q, &mine = got[static_cast<std::size_t>(i)]] {
                for (int k = 0; k < each; ++k) mine.push_back(q.get());
            });
        }
        crew.join();
        std::vector<int> all;
        for (const auto& mine : got) all.insert(all.end(), mine.begin(), mine.end());
        std::sort(all.begin(), all.end());
        ASSERT_EQ(all.size(), static_cast<std::size_t>(pairs * each));
        for (int i = 0; i < pairs * each; ++i) ASSERT_EQ(all[static_cast<std::size_t>(i)], i);
        EXPECT_TRUE(q.empty());
    }
}

TYPED_TEST(ThreadQueue, qsize_is_never_more_than_fits_nor_less_than_none) {
    typename TestFixture::template Queue<int> q(3);
    std::atomic<bool> stop{false};
    Crew crew;
    crew.add([&] {
        while (!stop) q.put(1);
        q.shutdown();
    });
    crew.add([&] {
        for (int item : q) (void)item;
    });
    for (int i = 0; i < 20000; ++i) ASSERT_LE(q.qsize(), 3U);
    stop = true;
}

// ---- items of all kinds -------------------------------------------------------------------------------

TYPED_TEST(ThreadQueue, items_may_be_such_as_can_only_be_moved) {
    typename TestFixture::template Queue<std::unique_ptr<int>> q(1);
    q.put(std::make_unique<int>(1));
    auto second = std::make_unique<int>(2);
    EXPECT_THROW(q.put(std::move(second), 1ms), Full);
    EXPECT_FALSE(q.try_put(std::move(second)));
    ASSERT_NE(second, nullptr) << "what was not put is still the caller's";
    EXPECT_EQ(*q.get(), 1);
    EXPECT_TRUE(q.try_put(std::move(second)));
    EXPECT_EQ(*q.get_many(5).at(0), 2);
    q.put_nowait(std::make_unique<int>(3));
    EXPECT_EQ(**q.try_get(), 3);
    q.put(std::make_unique<int>(4));
    q.shutdown();
    for (auto& item : q) EXPECT_EQ(*item, 4);
}

struct alignas(128) Wide {
    std::uint64_t value = 0;
    friend bool operator<(const Wide& a, const Wide& b) { return a.value < b.value; }
};

TYPED_TEST(ThreadQueue, items_are_aligned_as_they_must_be) {
    typename TestFixture::template Queue<Wide> q;
    for (std::uint64_t i = 0; i < 100; ++i) q.put(Wide{i});
    for (int i = 0; i < 100; ++i) {
        const Wide item = q.get();
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&item) % 128, 0U);
    }
}

/// Counts those that live, and throws from its n-th copy on, if it is told so.
struct Counted {
    static inline std::atomic<int> alive{0};
    static inline std::atomic<int> copies_left{std::numeric_limits<int>::max()};
    static inline std::atomic<int> comparisons_left{std::numeric_limits<int>::max()};

    explicit Counted(int v) : value(v) { ++alive; }
    Counted(const Counted& other) : value(other.value) {
        if (copies_left-- <= 0) throw std::runtime_error("no more copies");
        ++alive;
    }
    Counted& operator=(const Counted&) = default;
    ~Counted() { --alive; }
    friend bool operator<(const Counted& a, const Counted& b) {
        if (comparisons_left-- <= 0) throw std::runtime_error("no more comparisons");
        return a.value < b.value;
    }
    static void allow_all() { copies_left = comparisons_left = std::numeric_limits<int>::max(); }

    int value;
};

template <class Queue>
std::vector<int> values_in(Queue& q) {
    std::vector<int> values;
    while (auto item = q.try_get()) values.push_back(item->value);
    return values;
}

TYPED_TEST(ThreadQueue, each_item_is_destroyed_once) {
    {
        typename TestFixture::template Queue<Counted> q;
        for (int round = 0; round < 3; ++round) {
            for (int i = 0; i < 1300; ++i) q.put(Counted(i));
            EXPECT_EQ(Counted::alive, 1300);
            for (int i = 0; i < 600; ++i) q.get();
            q.get_many(100);
            EXPECT_EQ(Counted::alive, 600);
            EXPECT_EQ(q.get_many(5000).size(), 600U);
            EXPECT_EQ(Counted::alive, 0);
        }
        for (int i = 0; i < 1300; ++i) q.put(Counted(i));
        q.shutdown({.immediate = true});
        EXPECT_EQ(Counted::alive, 0);
    }
    {
        typename TestFixture::template Queue<Counted> q;
        for (int i = 0; i < 1300; ++i) q.put(Counted(i));
        for (int i = 0; i < 700; ++i) q.get();
    }
    EXPECT_EQ(Counted::alive, 0) << "with the last handle go the items";
}

TYPED_TEST(ThreadQueue, a_copy_that_throws_loses_nothing) {
    typename TestFixture::template Queue<Counted> q(8);
    const Counted three(3);
    q.put(Counted(1));
    q.put(Counted(2));
    // Copied before, and once more into the queue, since it has no other way to move.
    for (int allowed = 0; allowed < 2; ++allowed) {
        Counted::copies_left = allowed;
        EXPECT_THROW(q.put(three), std::runtime_error);
        Counted::allow_all();
        EXPECT_EQ(q.qsize(), 2U);
        EXPECT_EQ(Counted::alive, 3);
    }
    Counted::copies_left = 0;
    EXPECT_THROW(q.get(), std::runtime_error);
    EXPECT_THROW(q.try_get(), std::runtime_error);
    EXPECT_THROW(q.get_many(2), std::runtime_error);
    Counted::allow_all();
    EXPECT_EQ(q.qsize(), 2U);
    q.put(three);
    EXPECT_EQ(values_in(q), TypeParam::order({1, 2, 3}));
    EXPECT_EQ(Counted::alive, 1);
    for (int i = 0; i < 3; ++i) q.task_done();
    EXPECT_TRUE(q.join());
}

TYPED_TEST(ThreadQueue, batches_keep_what_was_done_before_a_copy_throws) {
    typename TestFixture::template Queue<Counted> q;
    const std::vector<Counted> many{Counted(1), Counted(2), Counted(3)};
    Counted::copies_left = 2;
    EXPECT_THROW(q.put_many(many), std::runtime_error);
    Counted::allow_all();
    EXPECT_EQ(q.qsize(), 2U);
    Counted::copies_left = 1;
    auto some = q.get_many(5);
    Counted::allow_all();
    ASSERT_EQ(some.size(), 1U);
    auto rest = q.get_many(5);
    ASSERT_EQ(rest.size(), 1U);
    EXPECT_EQ(TypeParam::order({1, 2}), (std::vector<int>{some[0].value, rest[0].value}));
}

/// Its move number `moves_left` throws, once.
struct FailsOnce {
    explicit FailsOnce(int v, int moves = -1) : value(v), moves_left(moves) {}
    FailsOnce(FailsOnce&& other) : value(other.value), moves_left(other.moves_left) {
        if (moves_left == 0) {
            other.moves_left = -1;
            throw std::runtime_error("cannot be moved");
        }
        if (moves_left > 0) --moves_left;
    }
    FailsOnce& operator=(FailsOnce&&) = default;
    friend bool operator<(const FailsOnce& a, const FailsOnce& b) { return a.value < b.value; }

    int value;
    int moves_left;
};

TYPED_TEST(ThreadQueue, a_get_behind_one_that_fails_is_woken) {
    typename TestFixture::template Queue<FailsOnce> q;
    std::atomic<int> failed{0};
    std::atomic<int> got{0};
    Crew crew;
    for (int i = 0; i < 2; ++i) {
        crew.add([&] {
            try {
                got += q.get().value;
            } catch (const std::runtime_error&) {
                ++failed;
            }
        });
    }
    crew.until_asleep();
    q.put(FailsOnce(8, 1));
    crew.join();
    EXPECT_EQ(failed, 1);
    EXPECT_EQ(got, 8);
}

TYPED_TEST(ThreadQueue, a_put_behind_one_that_fails_is_woken) {
    typename TestFixture::template Queue<FailsOnce> q(1);
    q.put(FailsOnce(1));
    std::atomic<int> failed{0};
    std::atomic<int> done{0};
    Crew crew;
    for (const int moves : {0, -1}) {
        crew.add([&, moves] {
            FailsOnce item(2, moves);
            try {
                q.put(std::move(item));
                ++done;
            } catch (const std::runtime_error&) {
                ++failed;
            }
        });
        crew.until_asleep();
    }
    EXPECT_EQ(q.get().value, 1);
    crew.join();
    EXPECT_EQ(failed, 1);
    EXPECT_EQ(done, 1);
}

/// Puts one more into the queue that it was in when it is destroyed, once.
struct Last {
    template <class Queue>
    Last(int v, Queue* queue) : value(v), put([queue](Last item) { queue->put(std::move(item)); }) {}
    explicit Last(int v) : value(v) {}
    Last(Last&&) noexcept = default;
    Last& operator=(Last&&) noexcept = default;
    ~Last() {
        if (put) std::exchange(put, nullptr)(Last(value + 100));
    }
    friend bool operator<(const Last& a, const Last& b) { return a.value < b.value; }

    int value;
    std::function<void(Last)> put;
};

TYPED_TEST(ThreadQueue, a_destructor_may_put_into_the_queue) {
    typename TestFixture::template Queue<Last> q;
    for (int i = 0; i < 3; ++i) q.put(Last(i, &q));
    std::set<int> got;
    for (int i = 0; i < 6; ++i) got.insert(q.get().value);
    EXPECT_EQ(got, (std::set<int>{0, 1, 2, 100, 101, 102}));
    EXPECT_TRUE(q.empty());
}

/// Has no other way to move than to be copied, so that what stays in the queue is as whole as what comes out.
template <class Kind>
struct Stubborn {
    using Queue = typename Kind::template Queue<Stubborn>;
    Stubborn(int v, Queue* q) : value(v), queue(q) {}
    Stubborn(const Stubborn&) noexcept = default;
    Stubborn& operator=(const Stubborn&) = default;
    ~Stubborn() {
        if (queue == nullptr) return;
        try {
            queue->put(Stubborn(value + 100, nullptr), chorus::now);
        } catch (const chorus::Error&) {
        }
    }
    friend bool operator<(const Stubborn& a, const Stubborn& b) { return a.value < b.value; }

    int value;
    Queue* queue;
};

TYPED_TEST(ThreadQueue, what_stays_behind_of_an_item_may_put_into_the_queue) {
    typename TestFixture::template Queue<Stubborn<TypeParam>> q;
    q.put(Stubborn<TypeParam>(1, &q));  // the temporary puts 101
    const auto item = q.get();
    EXPECT_EQ(item.value % 100, 1);
    EXPECT_GE(q.qsize(), 1U);
    q.shutdown({.immediate = true});  // those that it destroys find it shut
    EXPECT_TRUE(q.empty());
}

// ---- waiting ----------------------------------------------------------------------------------------

std::atomic<int> signals_handled{0};

// Sends signals to a thread as long as it makes this call, which is to take all of its time.
template <class Call>
void expect_no_shorter_with_signals(Call call) {
    constexpr auto time = 200ms;
    std::signal(SIGUSR1, [](int) { ++signals_handled; });
    std::atomic<bool> has_ended{false};
    std::atomic<bool> may_end{false};
    pthread_t id{};
    std::latch known(1);
    Crew crew;
    crew.add([&] {
        id = ::pthread_self();
        known.count_down();
        int before = 0;
        do {  // until one came meanwhile
            before = signals_handled;
            const auto begin = std::chrono::steady_clock::now();
            call(time);
            EXPECT_GE(std::chrono::steady_clock::now() - begin, time);
        } while (signals_handled == before);
        has_ended = true;
        may_end.wait(false);
    });
    known.wait();
    while (!has_ended) {
        ::pthread_kill(id, SIGUSR1);
        std::this_thread::yield();
    }
    may_end = true;
    may_end.notify_all();
}

TYPED_TEST(ThreadQueue, signals_do_not_shorten_a_wait) {
    typename TestFixture::template Queue<int> q(1);
    expect_no_shorter_with_signals([&](chorus::Deadline deadline) { EXPECT_THROW(q.get(deadline), Empty); });
    q.put(1);
    expect_no_shorter_with_signals(
        [&](chorus::Deadline deadline) { EXPECT_THROW(q.put(2, deadline), Full); });
    expect_no_shorter_with_signals([&](chorus::Deadline deadline) { EXPECT_FALSE(q.join(deadline)); });
}

TYPED_TEST(ThreadQueue, waits_that_end_by_their_deadline_take_nothing_from_others) {
    typename TestFixture::template Queue<int> q;
    std::atomic<int> got{0};
    constexpr int items = 500;
    const auto get_until_shutdown = [&](chorus::Deadline (*deadline)()) {
        for (;;) {
            try {
                q.get(deadline());
                ++got;
            } catch (const Empty&) {
            } catch (const ShutDown&) {
                return;
            }
        }
    };
    Crew crew;
    for (int i = 0; i < 3; ++i) {
        crew.add([&] { get_until_shutdown([] { return chorus::Deadline(50us); }); });
    }
    // The calls that are meant for this thread may go to no other.
    crew.add([&] { get_until_shutdown([] { return chorus::Deadline(); }); });
    for (int i = 0; i < items; ++i) {
        q.put(1);
        while (i % 10 == 0 && got < i) std::this_thread::yield();
    }
    while (got < items) std::this_thread::yield();
    q.shutdown();
}

TYPED_TEST(ThreadQueue, who_waits_uses_no_processor_time) {
    typename TestFixture::template Queue<int> q;
    timespec before{};
    timespec after{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    EXPECT_THROW(q.get(300ms), Empty);
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    const auto used = std::chrono::seconds(after.tv_sec - before.tv_sec) +
                      std::chrono::nanoseconds(after.tv_nsec - before.tv_nsec);
    EXPECT_LT(used, 100ms);
}

// ---- order ------------------------------------------------------------------------------------------

void expect_in_order(mt::Queue<int> q, int items) {
    Crew crew;
    crew.add([&] {
        for (int i = 0; i < items; ++i) q.put(i);
    });
    for (int i = 0; i < items; ++i) ASSERT_EQ(q.get(), i);
    EXPECT_TRUE(q.empty());
}

TEST(FifoQueue, a_million_items_come_out_in_order) { expect_in_order(mt::Queue<int>(), 1'000'000); }

TEST(FifoQueue, items_come_out_in_order_when_there_is_little_room) {
    expect_in_order(mt::Queue<int>(10), 2'000);
}

TEST(FifoQueue, batches_come_out_in_order) {
    constexpr int items = 200'000;
    mt::Queue<std::string> q;
    Crew crew;
    crew.add([&] {
        std::vector<std::string> some;
        for (int i = 0; i < items;) {
            some.clear();
            for (int k = 0; k < 7 && i < items; ++k) some.push_back(std::to_string(i++));
            q.put_many(some);
        }
        q.shutdown();
    });
    int next = 0;
    try {
        for (;;) {
            for (const auto& item : q.get_many(11)) ASSERT_EQ(item, std::to_string(next++));
        }
    } catch (const ShutDown&) {
    }
    EXPECT_EQ(next, items);
}

TEST(PriorityQueue, compares_as_it_is_told) {
    mt::PriorityQueue<int, std::greater<int>> largest_first;
    for (const int item : {2, 9, 4}) largest_first.put(item);
    EXPECT_THAT(largest_first.get_many(9), ElementsAre(9, 4, 2));
    const auto by_last_digit = [](int a, int b) { return a % 10 < b % 10; };
    mt::PriorityQueue<int, std::function<bool(int, int)>> q(0, by_last_digit);
    for (const int item : {13, 31, 22}) q.put(item);
    EXPECT_THAT(q.get_many(9), ElementsAre(31, 22, 13));
}

TEST(PriorityQueue, sorts_whatever_comes) {
    mt::PriorityQueue<unsigned> q;
    std::multiset<unsigned> expected;
    unsigned random = 1;
    for (int i = 0; i < 20000; ++i) {
        random = random * 1664525U + 1013904223U;
        if ((random >> 20) % 3 != 0 || expected.empty()) {
            q.put(random >> 22);
            expected.insert(random >> 22);
        } else {
            ASSERT_EQ(q.get(), *expected.begin());
            expected.erase(expected.begin());
        }
    }
    ASSERT_EQ(q.qsize(), expected.size());
    for (const unsigned item : expected) ASSERT_EQ(q.get(), item);
}

TEST(PriorityQueue, a_comparison_that_throws_loses_nothing) {
    mt::PriorityQueue<Counted> q;
    for (const int item : {5, 3, 8, 1, 9, 2, 7, 6, 4}) q.put(Counted(item));
    // Each comparison that a call makes is the one that throws, once.
    const auto fail_at_each = [](auto call) {
        for (int allowed = 0;; ++allowed) {
            Counted::comparisons_left = allowed;
            try {
                call();
                Counted::allow_all();
                return allowed;
            } catch (const std::runtime_error&) {
                Counted::allow_all();
            }
        }
    };
    EXPECT_GT(fail_at_each([&] { q.put(Counted(0)); }), 1);
    EXPECT_EQ(q.qsize(), 10U);
    for (int expected = 0; expected < 10; ++expected) {
        fail_at_each([&] { EXPECT_EQ(q.get().value, expected); });
    }
    EXPECT_TRUE(q.empty());
    EXPECT_EQ(Counted::alive, 0);
}

// ---- SimpleQueue, as test_queue.py -----------------------------------------------------------------------

TEST(SimpleQueue, test_basic) {
    mt::SimpleQueue<int> q;
    EXPECT_TRUE(q.empty());
    EXPECT_EQ(q.qsize(), 0U);
    q.put(1);
    EXPECT_FALSE(q.empty());
    EXPECT_EQ(q.qsize(), 1U);
    q.put(2);
    q.put_nowait(3);
    q.put(4);
    EXPECT_EQ(q.qsize(), 4U);
    EXPECT_EQ(q.get(), 1);
    EXPECT_EQ(q.get_nowait(), 2);
    EXPECT_EQ(q.get(1ms), 3);
    EXPECT_EQ(q.try_get(), 4);
    EXPECT_TRUE(q.empty());
    EXPECT_THROW(q.get(chorus::now), Empty);
    EXPECT_THROW(q.get(10ms), Empty);
    EXPECT_THROW(q.get_nowait(), Empty);
    EXPECT_EQ(q.try_get(), std::nullopt);
    auto copy = q;
    copy.put(5);
    EXPECT_EQ(q.get(), 5);
}

TEST(SimpleQueue, test_negative_timeout_raises_exception) {
    mt::SimpleQueue<int> q;
    q.put(1, -1s);  // ignored
    EXPECT_EQ(q.get(-1s), 1);
    EXPECT_THROW(q.get(-1s), Empty);
}

TEST(SimpleQueue, test_order) {
    mt::SimpleQueue<int> q;
    Crew crew;
    crew.add([&] {
        for (int i = 0; i < 100'000; ++i) q.put(i);
    });
    for (int i = 0; i < 100'000; ++i) ASSERT_EQ(q.get(), i);
}

// 50 producers and 50 consumers share 10,000 items; a consumer ends at an item below 0.
template <class Get>
void share_among_many(Get get) {
    constexpr int pairs = 50;
    constexpr int each = 200;
    mt::SimpleQueue<int> q;
    std::vector<std::vector<int>> got(pairs);
    Crew producers;
    Crew consumers;
    for (int i = 0; i < pairs; ++i) {
        producers.add([&q, i] {
            for (int k = 0; k < each; ++k) q.put(i * each + k);
        });
        consumers.add([&q, get, &mine = got[static_cast<std::size_t>(i)]] {
            for (int item = get(q); item >= 0; item = get(q)) mine.push_back(item);
        });
    }
    producers.join();
    for (int i = 0; i < pairs; ++i) q.put(-1);
    consumers.join();
    std::vector<int> all;
    for (const auto& mine : got) all.insert(all.end(), mine.begin(), mine.end());
    std::sort(all.begin(), all.end());
    ASSERT_EQ(all.size(), static_cast<std::size_t>(pairs * each));
    for (int i = 0; i < pairs * each; ++i) ASSERT_EQ(all[static_cast<std::size_t>(i)], i);
}

TEST(SimpleQueue, test_many_threads) {
    share_among_many([](mt::SimpleQueue<int>& q) { return q.get(); });
}

TEST(SimpleQueue, test_many_threads_nonblock) {
    share_among_many([](mt::SimpleQueue<int>& q) {
        for (;;) {
            if (const auto item = q.try_get()) return *item;
            std::this_thread::yield();
        }
    });
}

TEST(SimpleQueue, test_many_threads_timeout) {
    share_among_many([](mt::SimpleQueue<int>& q) {
        for (;;) {
            try {
                return q.get(100us);
            } catch (const Empty&) {
            }
        }
    });
}

TEST(SimpleQueue, test_references) {
    mt::SimpleQueue<std::shared_ptr<int>> q;
    std::vector<std::weak_ptr<int>> watched;
    for (int i = 0; i < 1500; ++i) {
        auto item = std::make_shared<int>(i);
        watched.push_back(item);
        q.put(std::move(item));
    }
    for (auto& item : watched) {
        EXPECT_FALSE(item.expired());
        q.get();
        EXPECT_TRUE(item.expired());
    }
}

TEST(SimpleQueue, test_reentrancy) {
    // Each item puts the next ones when it is destroyed, which happens while another one is got.
    struct Node {
        Node(int v, mt::SimpleQueue<std::shared_ptr<Node>>* q) : value(v), queue(q) {}
        Node(const Node&) = delete;
        Node& operator=(const Node&) = delete;
        ~Node() {
            if (value < 10'000) queue->put(std::make_shared<Node>(value + 2, queue));
        }
        int value;
        mt::SimpleQueue<std::shared_ptr<Node>>* queue;
    };
    mt::SimpleQueue<std::shared_ptr<Node>> q;
    q.put(std::make_shared<Node>(0, &q));
    q.put(std::make_shared<Node>(1, &q));
    std::shared_ptr<Node> item;
    for (int i = 0; i < 10'002; ++i) {
        item = q.get();  // destroys the one before
        ASSERT_EQ(item->value, i);
    }
    item.reset();
    EXPECT_TRUE(q.empty());
}

}  // namespace
