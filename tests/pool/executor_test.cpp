// Pool, as CPython's tests of concurrent.futures' executors have it; the names are theirs.
#include <atomic>
#include <ranges>
#include <set>
#include <string>
#include <vector>

#include <pool/calls.hpp>
#include <pool/counted.hpp>
#include <support/sanitizers.hpp>

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::SizeIs;

namespace {

// ---- with threads and with processes ---------------------------------------------------------------

template <class Par>
using ExecutorOf = EachWay<Par>;
EACH_WAY_SUITE(ExecutorOf, ThreadsAndProcesses);

EACH_WAY_TEST(ExecutorOf, test_submit_keyword) {
    typename TypeParam::Pool pool(1);
    constexpr auto difference =
        chorus::named<"function", "options">([](int function, int options) { return function - options; });
    EXPECT_EQ(pool.submit(difference, chorus::kw<"options"> = 3, chorus::kw<"function"> = 10).get(20s), 7);
}

EACH_WAY_TEST(ExecutorOf, test_map_timeout) {
    typename TypeParam::Pool pool(2);
    mp::Event never;
    mp::Event go;
    go.set();
    const std::vector<mp::Event> events{go, go, never};
    auto results = pool.imap([](mp::Event event) { return event.wait() ? 1 : 0; }, events);
    EXPECT_EQ(results.next(20s), 1);
    EXPECT_EQ(results.next(20s), 1);
    EXPECT_THROW(results.next(20ms), chorus::TimedOut);
    never.set();
    EXPECT_EQ(results.next(20s), 1) << "it goes on";
}

EACH_WAY_TEST(ExecutorOf, test_map_buffersize) {
    typename TypeParam::Pool pool(2);
    for (const std::size_t buffersize : {1U, 2U, 4U, 100U}) {
        for (const std::size_t chunksize : {1U, 3U}) {
            auto results = pool.imap({.chunksize = chunksize, .buffersize = buffersize}, square,
                                     std::views::iota(0, 10));
            for (int i = 0; i < 10; ++i) ASSERT_EQ(results.next(), i * i);
            EXPECT_EQ(results.next(), std::nullopt);
        }
    }
}

EACH_WAY_TEST(ExecutorOf, test_map_buffersize_on_infinite_iterable) {
    typename TypeParam::Pool pool(2);
    auto results = pool.imap({.buffersize = 2}, square, std::views::iota(0));
    for (int i = 0; i < 20; ++i) ASSERT_EQ(results.next(), i * i);
}

EACH_WAY_TEST(ExecutorOf, test_map_buffersize_on_empty_iterable) {
    typename TypeParam::Pool pool(2);
    EXPECT_EQ(pool.imap({.buffersize = 2}, square, std::vector<int>{}).next(), std::nullopt);
}

EACH_WAY_TEST(ExecutorOf, test_map_chunksize) {
    typename TypeParam::Pool pool(2);
    for (const std::size_t chunksize : {6U, 40U, 50U}) {
        const auto squares = pool.map({.chunksize = chunksize}, square, std::views::iota(0, 40));
        ASSERT_THAT(squares, SizeIs(40));
        for (int i = 0; i < 40; ++i) EXPECT_EQ(squares[static_cast<std::size_t>(i)], i * i);
    }
    EXPECT_THROW(pool.imap({.chunksize = 0}, square, std::views::iota(0, 40)), chorus::UsageError);
}

EACH_WAY_TEST(ExecutorOf, test_shutdown_race_issue12456) {
    typename TypeParam::Pool pool(2);
    const auto all = pool.map_async({.chunksize = 1}, square, std::vector<int>(3, 2));
    pool.shutdown();
    EXPECT_THAT(all.get(chorus::now), ElementsAre(4, 4, 4));
}

EACH_WAY_TEST(ExecutorOf, test_no_stale_references) {
    typename TypeParam::Pool pool(1);
    pool.submit(number_of, Counted(1));
    EXPECT_TRUE(eventually([] { return Counted::living() == 0; })) << Counted::living();
}

EACH_WAY_TEST(ExecutorOf, test_free_reference) {
    typename TypeParam::Pool pool(1);
    auto results = pool.imap({.buffersize = 1}, make_counted, std::views::iota(0, 10));
    int count = 0;
    while (const auto one = results.next()) {
        EXPECT_EQ(one->number(), count++);
        EXPECT_EQ(Counted::living(), 1) << "only the one that was asked for";
    }
    EXPECT_EQ(count, 10);
}

// The results are not asked for: all is done all the same.
EACH_WAY_TEST(ExecutorOf, test_map_submits_without_iteration) {
    mp::Semaphore done(0);
    typename TypeParam::Pool pool(2);
    pool.map_async(
        {.chunksize = 1}, [](mp::Semaphore there) { there.release(); }, std::vector<mp::Semaphore>(10, done));
    pool.shutdown();
    EXPECT_EQ(done.get_value(), 10);
}

EACH_WAY_TEST(ExecutorOf, test_default_workers) {
    typename TypeParam::Pool pool;
    EXPECT_EQ(pool.size(), static_cast<std::size_t>(mp::process_cpu_count()));
}

EACH_WAY_TEST(ExecutorOf, test_blocking_with_limited_workers) {
    mp::Semaphore begun(0);
    mp::Semaphore go(0);
    typename TypeParam::Pool pool(2);
    std::vector<chorus::Future<int>> futures;
    for (int i = 0; i < 8; ++i) futures.push_back(pool.submit(begin_and_await, begun, go));
    for (int wave = 0; wave < 4; ++wave) {
        await_begun(begun, 2);
        EXPECT_FALSE(begun.acquire(chorus::now)) << "two workers begin two tasks";
        go.release(2);
    }
    for (const auto& each : futures) EXPECT_EQ(each.get(20s), 1);
}

// The timeout leaves the work alone; results that are dropped cancel what no worker has begun.
EACH_WAY_TEST(ExecutorOf, test_executor_map_current_future_cancel) {
    mp::Semaphore begun(0);
    mp::Semaphore go(0);
    typename TypeParam::Pool pool(1);
    const auto first = pool.submit(begin_and_await, begun, go);
    await_begun(begun, 1);
    {
        auto rest = pool.imap([](mp::Semaphore there) { return there.release(), 1; },
                              std::vector<mp::Semaphore>(2, begun));
        EXPECT_THROW(rest.next(chorus::now), chorus::TimedOut);
    }
    go.release();
    EXPECT_EQ(first.get(20s), 1);
    pool.shutdown();
    EXPECT_EQ(begun.get_value(), 0) << "the others never began";
}

[[noreturn]] void fail_to_set_up() { throw std::runtime_error("no table"); }

EACH_WAY_TEST(ExecutorOf, test_broken_process_pool_traceback) {
    mp::Event go;
    typename TypeParam::Pool pool(
        1, {.initializer = {[](mp::Event there) { there.wait(), fail_to_set_up(); }, go}});
    std::vector<chorus::Future<int>> futures;
    for (int i = 0; i < 3; ++i) futures.push_back(pool.submit(square, i));
    go.set();
    std::set<const void*> errors;
    for (const auto& each : futures) {
        try {
            each.get(20s);
        } catch (const chorus::BrokenPool& error) {
            errors.insert(&error);
        }
    }
    EXPECT_THAT(errors, SizeIs(3)) << "each has an exception of its own";
}

// Callbacks run also when a waiter has just read other answers itself.
EACH_WAY_TEST(ExecutorOf, callbacks_run_after_somebody_has_waited_for_another_task) {
    mp::Semaphore begun(0);
    mp::Semaphore go(0);
    mt::Queue<int> heard;
    typename TypeParam::Pool pool(1);
    for (int i = 0; i < rounds(1000); ++i) {
        const auto waited_for = pool.submit(square, 2);
        pool.submit(begin_and_await, begun, go).add_done_callback([&](const chorus::Future<int>& done) {
            heard.put(done.get());
        });
        ASSERT_EQ(waited_for.get(20s), 4);
        await_begun(begun, 1);
        go.release();
        ASSERT_EQ(heard.get(20s), 1) << "attempt " << i;
    }
}

// ---- processes -------------------------------------------------------------------------------------

class ProcessPool : public EachStartMethod {};
FOR_EACH_START_METHOD(ProcessPool);

TEST_P(ProcessPool, test_killed_child) {
    mp::Semaphore begun(0);
    mp::Semaphore go(0);
    mp::Pool pool(1);
    const auto future = pool.submit(begin_and_await, begun, go);
    await_begun(begun, 1);
    const auto workers = workers_of(pool, 1);
    ASSERT_THAT(workers, SizeIs(1));
    ::kill(workers[0], SIGKILL);
    EXPECT_THROW(future.get(20s), chorus::WorkerDied);
    EXPECT_EQ(pool.submit(square, 3).get(20s), 9) << "the pool goes on";
}

// Arrives in a worker with an event that it sets when it goes.
class LastWords {
public:
    LastWords(mp::Event gone, bool has_arrived) : gone_(std::move(gone)), has_arrived_(has_arrived) {}
    LastWords(LastWords&& other) noexcept
        : gone_(other.gone_), has_arrived_(std::exchange(other.has_arrived_, false)) {}
    LastWords(const LastWords& other) : gone_(other.gone_), has_arrived_(false) {}
    LastWords& operator=(const LastWords&) = delete;
    ~LastWords() {
        if (has_arrived_) gone_.set();
    }
    const mp::Event& gone() const { return gone_; }

private:
    mp::Event gone_;
    bool has_arrived_;
};

}  // namespace

template <>
struct chorus::codec<LastWords> {
    static void write(message::Writer& out, const LastWords& value) { message::encode(out, value.gone()); }
    static LastWords read(message::Reader& in) { return {message::decode<mp::Event>(in), true}; }
};

namespace {

TEST_P(ProcessPool, test_ressources_gced_in_workers) {
    mp::Event gone;
    mp::Pool pool(1);
    EXPECT_FALSE(
        pool.apply([](const LastWords& words) { return words.gone().is_set(); }, LastWords(gone, false)));
    EXPECT_TRUE(gone.wait(20s)) << "the worker lives, and has let go of its argument";
}

TEST_P(ProcessPool, test_saturation) {
    mp::Semaphore begun(0);
    mp::Semaphore go(0);
    mp::Pool pool(4);
    for (int i = 0; i < 60; ++i) pool.submit(begin_and_await, begun, go);
    await_begun(begun, 4);
    workers_of(pool, 4);
    EXPECT_FALSE(begun.acquire(chorus::now));
    go.release(60);
}

TEST_P(ProcessPool, test_idle_process_reuse_multiple) {
    mp::Pool pool(5);
    for (int i = 0; i < 3; ++i) {
        const auto one = pool.submit(square, i);
        pool.submit(square, i).get(20s);
        one.get(20s);
    }
    EXPECT_LE(pool.worker_pids().size(), 2U) << "as many as there were tasks at once";
}

TEST_P(ProcessPool, test_max_tasks_per_child) {
    mp::Pool pool(1, {.max_tasks_per_child = 3});
    const int first = pool.apply(who, 0);
    EXPECT_EQ(pool.apply(who, 0), first);
    EXPECT_EQ(pool.apply(who, 0), first);
    EXPECT_NE(pool.apply(who, 0), first);
}

TEST_P(ProcessPool, test_force_shutdown_workers) {
    mp::Semaphore begun(0);
    mp::Semaphore go(0);
    mp::Event ended;
    mp::Pool pool(1);
    const auto future = pool.submit(
        [](mp::Semaphore b, mp::Semaphore g, mp::Event e) {
            begin_and_await(b, g);
            e.set();
        },
        begun, go, ended);
    await_begun(begun, 1);
    pool.terminate();
    EXPECT_TRUE(pool.join(20s));
    go.release();
    EXPECT_THROW(future.get(chorus::now), chorus::Cancelled);
    EXPECT_FALSE(ended.is_set());
}

// A task may have begun before start() has told the pool that its worker is there.
TEST_P(ProcessPool, a_task_is_ended_however_young_its_worker_is) {
    mp::Semaphore begun(0);
    mp::Semaphore go(0);
    for (int i = 0; i < rounds(60); ++i) {
        mp::Pool pool(1);
        const auto future = pool.submit(begin_and_await, begun, go);
        await_begun(begun, 1);
        if (i % 2 == 0) {
            EXPECT_TRUE(future.cancel());
            pool.close();
        } else {
            pool.terminate();
        }
        const bool ended = pool.join(10s);
        if (!ended) go.release();
        ASSERT_TRUE(ended) << "attempt " << i;
    }
}

TEST_P(ProcessPool, test_force_shutdown_workers_dead_workers) {
    mp::Pool pool(1, {.initializer = fail_to_set_up});
    EXPECT_THROW(pool.apply(square, 3), chorus::BrokenPool);
    pool.kill_workers();
    pool.terminate();
    EXPECT_TRUE(pool.join(20s));
}

TEST_P(ProcessPool, test_force_shutdown_workers_not_started_yet) {
    mp::Pool pool(2);
    pool.terminate();
    EXPECT_TRUE(pool.join(chorus::now));
    EXPECT_THROW(pool.submit(square, 3), chorus::UsageError);
}

TEST_P(ProcessPool, test_force_shutdown_workers_stops_pool) {
    mp::Pool pool(2);
    pool.apply(square, 3);
    pool.kill_workers();
    EXPECT_THROW(pool.submit(square, 3), chorus::UsageError);
    EXPECT_TRUE(pool.join(20s));
    EXPECT_THAT(pool.worker_pids(), SizeIs(0));
}

// Workers that are replaced all the time: whichever is being started when the pool is ended is ended too.
TEST_P(ProcessPool, test_force_shutdown_during_max_tasks_worker_exit) {
    for (const int heard : {0, 1, 3, 7}) {
        mp::Pool pool(2, {.max_tasks_per_child = 1});
        std::vector<chorus::Future<int>> futures;
        for (int i = 0; i < 50; ++i) futures.push_back(pool.submit(square, i));
        for (int i = 0; i < heard; ++i) futures[static_cast<std::size_t>(i)].get(20s);
        pool.terminate();
        ASSERT_TRUE(pool.join(20s));
        EXPECT_THAT(mp::active_children(), SizeIs(0));
    }
}

// ---- threads ---------------------------------------------------------------------------------------

// All that a pool has are in use, and no more come.
TEST(ThreadPool, test_saturation) {
    mp::Semaphore begun(0);
    mp::Semaphore go(0);
    mt::Pool pool(4);
    for (int i = 0; i < 60; ++i) pool.submit(begin_and_await, begun, go);
    await_begun(begun, 4);
    EXPECT_EQ(mt::active_count(), 5U) << "with this one";
    EXPECT_FALSE(begun.acquire(chorus::now));
    go.release(60);
}

TEST(ThreadPool, test_idle_thread_reuse) {
    mt::Pool pool(4);
    std::set<std::uintptr_t> threads;
    for (int i = 0; i < 20; ++i) {
        threads.insert(pool.apply([] { return mt::get_ident(); }));
        ASSERT_TRUE(eventually([&] { return pool.unfinished() == 0; })) << "only then it is idle";
    }
    EXPECT_THAT(threads, SizeIs(1));
}

TEST(ThreadPool, test_process_fork_from_a_threadpool) {
    mt::Pool pool(4);
    const auto codes = pool.map(
        {.chunksize = 1},
        [](int code) {
            mp::ForkProcess child([code] { throw chorus::SystemExit(code); });
            child.start();
            child.join();
            return child.exitcode().value();
        },
        std::vector<int>{1, 2, 3, 4, 5, 6});
    EXPECT_THAT(codes, ElementsAre(1, 2, 3, 4, 5, 6));
}

}  // namespace
