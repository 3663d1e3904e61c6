// Pool: what holds with threads and with processes, however they are started.
#include <atomic>
#include <filesystem>
#include <iterator>
#include <list>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <ranges>
#include <set>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include <pool/calls.hpp>

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

/// It has no default constructor.
struct Celsius {
    explicit Celsius(double number) : degrees(number) {}
    double degrees;
};
template <>
struct chorus::codec<Celsius> {
    static void write(chorus::detail::message::Writer& out, const Celsius& value) {
        chorus::detail::message::encode(out, value.degrees);
    }
    static Celsius read(chorus::detail::message::Reader& in) {
        return Celsius(chorus::detail::message::decode<double>(in));
    }
};

namespace {

int refuse_7(int x) {
    if (x == 7) throw std::out_of_range("seven");
    return x;
}
int wait_a_moment(int milliseconds) {
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    return milliseconds;
}
void do_nothing(int) {}
std::string pattern_of(std::size_t size) { return std::string(size, 'x'); }

template <class Par>
using PoolOf = EachWay<Par>;
EACH_WAY_SUITE(PoolOf, ThreadsAndProcesses);

EACH_WAY_TEST(PoolOf, test_submit) {
    typename TypeParam::Pool pool(2);
    auto future = pool.submit(square, 3);
    EXPECT_EQ(future.get(), 9);
    EXPECT_TRUE(future.done());
    EXPECT_FALSE(future.running());
    EXPECT_EQ(pool.apply(add, 2, 3), 5);
    EXPECT_EQ(pool.apply_async(add, 2, 3).get(), 5);
    pool.submit(do_nothing, 1).get();
}

EACH_WAY_TEST(PoolOf, test_map) {
    typename TypeParam::Pool pool(2);
    std::vector<int> numbers(1000);
    for (int i = 0; i < 1000; ++i) numbers[static_cast<std::size_t>(i)] = i;
    for (const std::size_t chunk : {0U, 1U, 7U, 1000U, 5000U}) {
        const auto squares = pool.map({.chunksize = chunk}, square, numbers);
        ASSERT_EQ(squares.size(), 1000U);
        for (int i = 0; i < 1000; ++i) ASSERT_EQ(squares[static_cast<std::size_t>(i)], i * i);
    }
    EXPECT_THAT(pool.map(square, std::list<int>{1, 2, 3}), ElementsAre(1, 4, 9));
    EXPECT_THAT(pool.map(square, std::views::iota(1, 4)), ElementsAre(1, 4, 9));
    EXPECT_TRUE(pool.map({.chunksize = 53}, square, std::vector<int>{}).empty());
    pool.map(do_nothing, numbers);
    EXPECT_EQ(pool.map_async(square, numbers).get(10s).size(), 1000U);
}

double half(int x) { return x / 2.0; }
double half_of_some(int x) {
    if (x % 10'000 == 9'999) throw std::out_of_range("refused: " + std::to_string(x));
    return half(x);
}

// As many as need messages of their own.
EACH_WAY_TEST(PoolOf, map_of_many_numbers) {
    typename TypeParam::Pool pool(2);
    std::vector<int> numbers(300'000);
    std::iota(numbers.begin(), numbers.end(), 0);
    const auto before = numbers;
    const auto expect_halves = [&](const std::vector<double>& halves, std::size_t count) {
        ASSERT_EQ(halves.size(), count);
        for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(halves[i], half(static_cast<int>(i)));
    };
    for (const std::size_t chunk : {0U, 100U, 299'999U, 300'000U})
        expect_halves(pool.map({.chunksize = chunk}, half, numbers), 300'000);
    expect_halves(pool.map_async(half, numbers).get(), 300'000);
    expect_halves(pool.map([](int& x) { return half(x++); }, numbers), 300'000);
    EXPECT_EQ(numbers, before) << "an item is a copy";

    // The exception of the first of those that failed; and nothing of it is left in the next.
    try {
        pool.map({.chunksize = 1000}, half_of_some, numbers);
        ADD_FAILURE() << "no exception";
    } catch (const std::out_of_range& error) {
        EXPECT_STREQ(error.what(), "refused: 9999");
    }
    numbers.resize(9'999);
    expect_halves(pool.map(half_of_some, std::span(numbers)), 9'999);
}

EACH_WAY_TEST(PoolOf, test_starmap) {
    typename TypeParam::Pool pool(2);
    EXPECT_THAT(pool.starmap(add, std::vector<std::pair<int, int>>{{1, 2}, {3, 4}}), ElementsAre(3, 7));
    EXPECT_THAT(pool.starmap_async(add, std::vector<std::tuple<int, int>>{{1, 2}}).get(), ElementsAre(3));
}

EACH_WAY_TEST(PoolOf, test_imap_over_an_endless_range) {
    typename TypeParam::Pool pool(2);
    int at = 0;
    for (const int y : pool.imap(square, std::views::iota(0))) {
        ASSERT_EQ(y, at * at);
        if (++at == 200) break;
    }
    at = 0;
    for (const int y : pool.imap({.chunksize = 10}, square, std::views::iota(0, 95))) {
        ASSERT_EQ(y, at * at);
        ++at;
    }
    EXPECT_EQ(at, 95);
}

EACH_WAY_TEST(PoolOf, test_map_buffersize_when_buffer_is_full) {
    typename TypeParam::Pool pool(2);
    int fetched = 0;
    auto counted = std::views::iota(0) | std::views::transform([&](int x) { return ++fetched, x; });
    auto results = pool.imap({.buffersize = 3}, square, counted);
    EXPECT_EQ(results.next(), 0);
    EXPECT_EQ(fetched, 3);
    EXPECT_EQ(results.next(), 1);
    EXPECT_EQ(fetched, 4);
}

EACH_WAY_TEST(PoolOf, test_imap_unordered) {
    typename TypeParam::Pool pool(2);
    std::multiset<int> seen;
    for (const int y : pool.imap_unordered(square, std::views::iota(0, 300))) seen.insert(y);
    EXPECT_EQ(seen.size(), 300U);
    for (int i = 0; i < 300; ++i) EXPECT_EQ(seen.count(i * i), 1U);
}

EACH_WAY_TEST(PoolOf, test_imap_handle_iterable_exception) {
    typename TypeParam::Pool pool(2);
    auto broken = std::views::iota(0) | std::views::transform([](int x) {
                      return x == 5 ? throw std::domain_error("the range") : x;
                  });
    auto results = pool.imap(square, broken);
    for (int i = 0; i < 5; ++i) ASSERT_EQ(results.next(), i * i);
    EXPECT_THROW(results.next(), std::domain_error);
    EXPECT_THROW(pool.map(square, std::views::iota(0, 10) | std::views::transform([](int x) {
                                      return x == 5 ? throw std::domain_error("the range") : x;
                                  })),
                 std::domain_error);
    EXPECT_EQ(pool.apply(square, 2), 4) << "the pool goes on";
}

EACH_WAY_TEST(PoolOf, a_range_that_throws_ends_there) {
    typename TypeParam::Pool pool(2);
    auto broken = std::views::iota(0) | std::views::transform([](int x) {
                      return x == 5 ? throw std::domain_error("the range") : x;
                  });
    for (const std::size_t chunk : {1U, 3U}) {
        auto results = pool.imap({.chunksize = chunk}, square, broken);
        const int before = chunk == 1 ? 5 : 3;  // what was to go with the broken one is lost
        for (int i = 0; i < before; ++i) ASSERT_EQ(results.next(), i * i);
        EXPECT_THROW(results.next(), std::domain_error);
        EXPECT_EQ(results.next(), std::nullopt);
        EXPECT_EQ(results.next(), std::nullopt);
    }
}

EACH_WAY_TEST(PoolOf, results_of_an_imap_may_be_asked_for_when_the_pool_is_gone) {
    auto pool = std::make_unique<typename TypeParam::Pool>(2);
    auto results = pool->imap({.buffersize = 3}, square, std::views::iota(0));
    ASSERT_EQ(results.next(), 0);
    pool.reset();
    ASSERT_EQ(results.next(), 1) << "it was submitted";
    ASSERT_EQ(results.next(), 4);
    EXPECT_THROW(results.next(), chorus::UsageError) << "no more could be";
    EXPECT_EQ(results.next(), std::nullopt);
}

EACH_WAY_TEST(PoolOf, a_callback_added_when_a_future_is_done_is_called_at_once) {
    typename TypeParam::Pool pool(1);
    int late = 0;
    const int tasks = TypeParam::are_processes ? 1000 : 5000;
    for (int i = 0; i < tasks; ++i) {
        auto future = pool.submit(square, i);
        while (!future.done()) {
        }
        const auto called = std::make_shared<std::atomic<bool>>(false);
        future.add_done_callback([called](const auto&) { *called = true; });
        late += *called ? 0 : 1;
    }
    EXPECT_EQ(late, 0);
}

std::size_t open_descriptors() {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

EACH_WAY_TEST(PoolOf, a_future_that_is_done_keeps_nothing_of_its_pool) {
    typename TypeParam::Pool(1).apply(square, 1);  // what the program keeps for all pools
    const auto before = open_descriptors();
    std::vector<chorus::Future<int>> singles;
    std::vector<chorus::Future<std::vector<int>>> maps;
    for (int i = 0; i < 20; ++i) {
        typename TypeParam::Pool pool(1);
        singles.push_back(pool.submit(square, i));
        maps.push_back(pool.map_async(square, std::vector{1, 2, 3}));
    }
    EXPECT_EQ(open_descriptors(), before);
    EXPECT_EQ(singles.back().get(), 19 * 19);
    EXPECT_THAT(maps.back().get(), ElementsAre(1, 4, 9));
}

Celsius warmer(const Celsius& value) { return Celsius(value.degrees + 1); }

EACH_WAY_TEST(PoolOf, arguments_and_results_need_no_default_constructor) {
    typename TypeParam::Pool pool(2);
    const std::vector<Celsius> values{Celsius(1), Celsius(2), Celsius(3)};
    EXPECT_EQ(pool.submit(warmer, Celsius(4)).get().degrees, 5);
    const auto all = pool.map(warmer, values);
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all[2].degrees, 4);
    double sum = 0;
    for (const Celsius& each : pool.imap({.chunksize = 2}, warmer, values)) sum += each.degrees;
    EXPECT_EQ(sum, 9);
}

TEST(ProcessPool, has_a_start_method_of_its_own) {
    const auto place = [] { return ::getppid(); };
    EXPECT_EQ(mp::Pool(1, {.start_method = "spawn"}).submit(place).get(), ::getpid());
    EXPECT_THAT([] { mp::Pool(1, {.start_method = "telepathy"}); },
                testing::ThrowsMessage<chorus::UsageError>(testing::HasSubstr("forkserver")));
}

TEST(ThreadPool, has_no_start_method) {
    EXPECT_THAT([] { mt::Pool(1, {.start_method = "spawn"}); },
                testing::ThrowsMessage<chorus::UsageError>(testing::HasSubstr("threads")));
}

TEST(ThreadPool, results_need_not_travel) {
    struct Widget {
        explicit Widget(int number) : value(number) {}
        Widget(Widget&&) = default;
        int value;
    };
    mt::Pool pool(2);
    EXPECT_EQ(pool.submit([](int n) { return std::make_shared<Widget>(n); }, 3).get()->value, 3);
    EXPECT_EQ(pool.submit([](int n) { return std::make_unique<Widget>(n); }, 4).get()->value, 4);
    EXPECT_EQ(pool.submit([](int n) { return Widget(n); }, 5).get().value, 5);
    EXPECT_EQ(pool.map([](int n) { return std::make_shared<Widget>(n); }, std::vector{1, 2})[1]->value, 2);
}

EACH_WAY_TEST(PoolOf, an_exception_comes_where_its_result_would_have_come) {
    typename TypeParam::Pool pool(2);
    EXPECT_THROW(pool.submit(refuse_7, 7).get(), std::out_of_range);
    EXPECT_THROW(pool.map(refuse_7, std::views::iota(0, 20)), std::out_of_range);
    auto results = pool.imap(refuse_7, std::views::iota(0, 10));
    for (int i = 0; i < 7; ++i) ASSERT_EQ(results.next(), i);
    EXPECT_THROW(results.next(), std::out_of_range);
    EXPECT_EQ(results.next(), 8) << "the rest goes on";
}

EACH_WAY_TEST(PoolOf, test_make_pool) {
    using AnyPool = typename TypeParam::Pool;
    EXPECT_THROW(AnyPool(0), chorus::UsageError);
    EXPECT_THROW(AnyPool(-1), chorus::UsageError);
    EXPECT_GE(AnyPool().size(), 1U);
}

EACH_WAY_TEST(PoolOf, test_context) {
    typename TypeParam::Pool pool(2);
    auto future = pool.submit(wait_a_moment, 50);
    EXPECT_THROW(pool.join(), chorus::UsageError) << "it is still open";
    pool.close();
    EXPECT_THROW(pool.submit(square, 1), chorus::UsageError);
    EXPECT_TRUE(pool.join(10s));
    EXPECT_EQ(future.get(chorus::now), 50);
    EXPECT_TRUE(pool.worker_pids().empty());
    pool.shutdown();
}

EACH_WAY_TEST(PoolOf, test_context_manager_shutdown) {
    std::vector<chorus::Future<int>> futures;
    {
        typename TypeParam::Pool pool(3);
        for (int i = 0; i < 30; ++i) futures.push_back(pool.submit(square, i));
    }
    for (int i = 0; i < 30; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].get(chorus::now), i * i);
}

EACH_WAY_TEST(PoolOf, leaving_by_an_exception_cancels_what_has_not_begun) {
    std::vector<chorus::Future<int>> futures;
    try {
        typename TypeParam::Pool pool(1);
        for (int i = 0; i < 100; ++i) futures.push_back(pool.submit(wait_a_moment, 500));
        throw std::runtime_error("on purpose");
    } catch (const std::runtime_error&) {
    }
    std::size_t cancelled = 0;
    for (const auto& each : futures) {
        ASSERT_TRUE(each.done());
        cancelled += each.cancelled() ? 1U : 0U;
    }
    EXPECT_GE(cancelled, 90U);
}

EACH_WAY_TEST(PoolOf, test_cancel_futures) {
    typename TypeParam::Pool pool(2);
    std::vector<chorus::Future<int>> futures;
    for (int i = 0; i < 100; ++i) futures.push_back(pool.submit(wait_a_moment, 300));
    futures[0].get();
    pool.shutdown({.wait = true, .cancel_futures = true});
    std::size_t cancelled = 0;
    for (const auto& each : futures) {
        ASSERT_TRUE(each.done());
        if (each.cancelled()) ++cancelled;
    }
    EXPECT_GT(cancelled, 50U);
    EXPECT_LT(cancelled, 100U);
}

EACH_WAY_TEST(PoolOf, what_is_cancelled_before_it_begins_never_runs) {
    typename TypeParam::Pool pool(1);
    mp::Event ran;
    mp::Event go;
    auto first = pool.submit([](mp::Event event) { event.wait(); }, go);
    auto second = pool.submit([](mp::Event event) { event.set(); }, ran);
    EXPECT_TRUE(second.cancel());
    EXPECT_TRUE(second.cancelled());
    EXPECT_THROW(second.get(), chorus::Cancelled);
    EXPECT_TRUE(second.cancel()) << "again";
    go.set();
    first.get();
    pool.apply(square, 1);
    EXPECT_FALSE(ran.is_set());
    EXPECT_FALSE(first.cancel()) << "it is done";
}

EACH_WAY_TEST(PoolOf, test_terminate) {
    typename TypeParam::Pool pool(2);
    std::vector<chorus::Future<int>> futures;
    for (int i = 0; i < 10'000; ++i) futures.push_back(pool.submit(wait_a_moment, 100));
    futures[0].get();
    const auto before = std::chrono::steady_clock::now();
    pool.terminate();
    EXPECT_TRUE(pool.join(30s));
    EXPECT_LT(std::chrono::steady_clock::now() - before, 20s) << "not the 500 s that they would take";
    for (const auto& each : futures) ASSERT_TRUE(each.done());
    EXPECT_THROW(pool.submit(square, 1), chorus::UsageError);
}

EACH_WAY_TEST(PoolOf, callbacks_and_then) {
    typename TypeParam::Pool pool(2);
    EXPECT_EQ(pool.submit(square, 3).then([](int x) { return std::to_string(x); }).get(), "9");
    EXPECT_THROW(pool.submit(refuse_7, 7).then([](int x) { return x; }).get(), std::out_of_range);
    // A callback may wait for another task of the pool.
    auto nested = pool.submit(square, 3).then([&](int x) { return pool.apply(add, x, 1); });
    EXPECT_EQ(nested.get(10s), 10);
}

EACH_WAY_TEST(PoolOf, a_callback_runs_though_nobody_waits) {
    mt::Queue<int> called;  // before the pool: put() may still be returning when get() has its item
    typename TypeParam::Pool pool(2);
    pool.submit(square, 3).add_done_callback(
        [&](const chorus::Future<int>& done) { called.put(done.get()); });
    EXPECT_EQ(called.get(10s), 9);
}

/// Wider than what memory is usually aligned to.
struct alignas(128) Aligned {
    int number = 0;
};
bool is_aligned(const Aligned& aligned) {
    return aligned.number == 7 && reinterpret_cast<std::uintptr_t>(&aligned) % alignof(Aligned) == 0;
}
void must_be_aligned(const Aligned& aligned) {
    if (!is_aligned(aligned)) throw std::logic_error("not aligned");
}

EACH_WAY_TEST(PoolOf, arguments_keep_their_alignment) {
    typename TypeParam::Pool pool(1);
    EXPECT_TRUE(pool.apply(is_aligned, Aligned{7}));
    typename TypeParam::Worker worker(must_be_aligned, Aligned{7});
    worker.start();
    worker.join();
    if constexpr (TypeParam::are_processes) {
        EXPECT_EQ(worker.exitcode(), 0);
    }
}

EACH_WAY_TEST(PoolOf, several_threads_submit_and_wait) {
    typename TypeParam::Pool pool(2);
    std::vector<std::thread> threads;
    std::atomic<int> right{0};
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 200; ++i) right += pool.submit(add, t, i).get() == t + i ? 1 : 0;
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(right, 800);
}

EACH_WAY_TEST(PoolOf, get_with_a_deadline) {
    typename TypeParam::Pool pool(1);
    mp::Event go;
    auto future = pool.submit([](mp::Event event) { return event.wait(20s); }, go);
    EXPECT_THROW(future.get(10ms), chorus::TimedOut);
    go.set();
    EXPECT_TRUE(future.get(20s));
}

EACH_WAY_TEST(PoolOf, large_arguments_and_results) {
    typename TypeParam::Pool pool(2);
    const std::vector<double> numbers(1U << 20, 1.5);
    const auto doubled = pool.apply(
        [](std::vector<double> x) {
            for (auto& each : x) each *= 2;
            return x;
        },
        numbers);
    EXPECT_EQ(doubled, std::vector<double>(1U << 20, 3.0));
    for (const std::size_t size : {0U, 1U, 100'000U, 131'040U, 131'072U, 200'000U, 20'000'000U})
        EXPECT_EQ(pool.apply(pattern_of, size).size(), size);
}

EACH_WAY_TEST(PoolOf, a_handle_may_be_an_argument) {
    typename TypeParam::Pool pool(2);
    mp::Queue<int> queue;
    for (int i = 0; i < 50; ++i) pool.submit([](mp::Queue<int> there, int x) { there.put(x); }, queue, i);
    std::multiset<int> seen;
    for (int i = 0; i < 50; ++i) seen.insert(queue.get(10s));
    EXPECT_EQ(seen.size(), 50U);
}

thread_local int workers_first = 0;
void set_up(int value) { workers_first = value; }
int set_up_to(int) { return workers_first; }

mp::Queue<int> make_queue(int size) {
    mp::Queue<int> queue(1000);
    for (int i = 0; i < size; ++i) queue.put(i);
    return queue;
}
mp::Array<int> make_array(int size) {
    mp::Array<int> array(std::vector<int>(static_cast<std::size_t>(size), 7));
    return array;
}
EACH_WAY_TEST(PoolOf, a_fresh_handle_may_be_a_result) {
    typename TypeParam::Pool pool(1);
    auto queue = pool.apply(make_queue, 3);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(queue.get(), i);
    const auto array = pool.apply(make_array, 100'000);
    EXPECT_EQ(array.size(), 100'000U);
    EXPECT_EQ(array.data()[99'999], 7);
}

EACH_WAY_TEST(PoolOf, cancelling_may_meet_a_worker_that_takes_the_task) {
    typename TypeParam::Pool pool(3);
    for (int round = 0; round < 500; ++round) {
        std::vector<chorus::Future<std::size_t>> futures;
        for (int i = 0; i < 8; ++i)
            futures.push_back(
                pool.submit([](const std::string& text) { return text.size(); }, std::string(100, 'x')));
        for (const auto& each : futures) {
            EXPECT_TRUE(each.cancel() || each.get() == 100U);
        }
    }
}

EACH_WAY_TEST(PoolOf, test_pool_initializer) {
    typename TypeParam::Pool pool(2, {.initializer = {set_up, 42}});
    for (const int each : pool.map(set_up_to, std::views::iota(0, 20))) EXPECT_EQ(each, 42);
}

void fail_to_set_up() { throw std::runtime_error("no table"); }

EACH_WAY_TEST(PoolOf, a_failing_initializer_breaks_the_pool) {
    typename TypeParam::Pool pool(2, {.initializer = fail_to_set_up});
    std::vector<chorus::Future<int>> futures;
    try {
        for (int i = 0; i < 10; ++i) futures.push_back(pool.submit(square, i));
    } catch (const chorus::BrokenPool&) {
    }
    for (const auto& each : futures) {
        try {
            each.get(10s);
            ADD_FAILURE();
        } catch (const chorus::BrokenPool& error) {
            EXPECT_THAT(error.what(), HasSubstr("no table"));
        }
    }
    EXPECT_THROW(pool.submit(square, 1), chorus::BrokenPool);
}

EACH_WAY_TEST(PoolOf, a_task_that_throws_system_exit_gives_it_to_who_asked) {
    typename TypeParam::Pool pool(1);
    const auto left = pool.submit([](int code) -> int { throw chorus::SystemExit(code); }, 5);
    try {
        left.get(20s);
        ADD_FAILURE();
    } catch (const chorus::SystemExit& exit) {
        EXPECT_EQ(exit.code(), 5);
    }
    EXPECT_EQ(pool.apply(square, 3), 9);
}

EACH_WAY_TEST(PoolOf, workers_are_changed_after_so_many_tasks) {
    typename TypeParam::Pool pool(2, {.max_tasks_per_child = 3});
    std::vector<chorus::Future<int>> futures;
    for (int i = 0; i < 60; ++i) futures.push_back(pool.submit(who, i));
    std::map<int, int> tasks;
    for (const auto& each : futures) ++tasks[each.get(20s)];
    if (TypeParam::are_processes) {
        EXPECT_GE(tasks.size(), 20U);
        for (const auto& [pid, count] : tasks) EXPECT_LE(count, 3);
    }
}

EACH_WAY_TEST(PoolOf, test_idle_process_reuse_one) {
    typename TypeParam::Pool pool(4);
    std::set<int> seen;
    for (int i = 0; i < 20; ++i) seen.insert(pool.apply(who, i));
    EXPECT_EQ(seen.size(), 1U);
    EXPECT_LE(pool.worker_pids().size(), 1U);
}

EACH_WAY_TEST(PoolOf, test_saturation_and_resize) {
    typename TypeParam::Pool pool(3);
    mp::Semaphore begun(0);
    mp::Semaphore go(0);
    std::vector<chorus::Future<int>> futures;
    for (int i = 0; i < 3; ++i) futures.push_back(pool.submit(begin_and_await, begun, go));
    await_begun(begun, 3);
    for (int i = 0; i < 42; ++i) futures.push_back(pool.submit(square, i));
    go.release(3);
    for (const auto& each : futures) each.get();
    EXPECT_TRUE(eventually([&] {
        return pool.worker_pids().size() == (TypeParam::are_processes ? 3U : 0U);
    }));  // one may be at work before its start is done
    EXPECT_THROW(pool.resize(0), chorus::UsageError);
    pool.resize(5);
    EXPECT_EQ(pool.size(), 5U);
}

EACH_WAY_TEST(PoolOf, text_form_of_futures) {
    typename TypeParam::Pool pool(1);
    auto future = pool.submit(refuse_7, 7);
    EXPECT_THROW(future.get(), std::out_of_range);
    std::ostringstream text;
    text << future;
    EXPECT_THAT(text.str(), HasSubstr("state=finished raised std::out_of_range>"));
}

EACH_WAY_TEST(PoolOf, pools_within_pools) {
    typename TypeParam::Pool pool(2);
    const auto sums = pool.map(
        [](int x) {
            mp::Pool processes(2);
            mt::Pool threads(2);
            return processes.apply(square, x) + threads.apply(square, x);
        },
        std::vector<int>{1, 2, 3});
    EXPECT_THAT(sums, ElementsAre(2, 8, 18));
}

TEST(ThreadPool, tasks_that_wait_for_tasks_of_their_pool_do_not_stop_it) {
    mt::Pool pool(2);
    std::vector<chorus::Future<int>> futures;
    for (int i = 0; i < 20; ++i)
        futures.push_back(pool.submit([&pool, i] { return pool.submit(square, i).get() + 1; }));
    for (int i = 0; i < 20; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].get(10s), i * i + 1);
}

TEST(ThreadPool, takes_what_cannot_travel) {
    mt::Pool pool(2);
    int here = 0;
    pool.submit([&] { here = 5; }).get();
    EXPECT_EQ(here, 5);
    EXPECT_THROW(pool.submit({.timeout = 1s}, square, 3), chorus::UsageError);
}

}  // namespace
