// What may go wrong on a task's way to a worker and back, as CPython's test_deadlock has it: the names are
// theirs. Python's pool is broken by most of it; here it costs the task and nothing else.
#include <string>
#include <vector>

#include <pool/calls.hpp>
#include <pool/difficult.hpp>

using namespace std::chrono_literals;
using testing::HasSubstr;

namespace {

class Deadlock : public EachStartMethod {
protected:
    /// Whether it ended like this, and the pool goes on.
    template <class Error>
    static void expect_failure(mp::Pool& pool, const chorus::Future<int>& future, const std::string& what) {
        try {
            future.get(20s);
            ADD_FAILURE() << "no exception";
        } catch (const Error& error) {
            EXPECT_THAT(error.what(), HasSubstr(what));
        }
        EXPECT_EQ(pool.submit(square, 3).get(20s), 9) << "the pool goes on";
    }
    template <class Error>
    static void expect_failure(Difficult::When when, Difficult::How how, const std::string& what) {
        mp::Pool pool(2);
        expect_failure<Error>(pool, pool.submit(take_difficult, Difficult{when, how}), what);
    }
    template <class Error>
    static void expect_failure_of_result(Difficult::When when, Difficult::How how, const std::string& what) {
        mp::Pool pool(2);
        expect_failure<Error>(
            pool, pool.submit(give_difficult, when, how).then([](const Difficult&) { return 1; }), what);
    }
};
FOR_EACH_START_METHOD(Deadlock);

// A SystemExit ends the task, wherever in it: the worker belongs to the pool, and goes on.
template <class Result>
void expect_exit(mp::Pool& pool, const chorus::Future<Result>& future) {
    const auto workers = pool.worker_pids();
    try {
        future.get(20s);
        ADD_FAILURE();
    } catch (const chorus::SystemExit& exit) {
        EXPECT_EQ(exit.code(), 7);
    }
    EXPECT_EQ(pool.submit(square, 3).get(20s), 9);
    EXPECT_THAT(pool.worker_pids(), testing::IsSupersetOf(workers));
}

int crash(int) { return ::raise(SIGSEGV); }
int leave_early(int code) { throw chorus::SystemExit(code); }

// ---- the task in flight ----------------------------------------------------------------------------

TEST_P(Deadlock, test_error_at_task_pickle) {
    expect_failure<std::range_error>(Difficult::writing, Difficult::error, "difficult");
}

TEST_P(Deadlock, test_exit_at_task_unpickle) {
    mp::Pool pool(2);
    expect_exit(pool, pool.submit(take_difficult, Difficult{Difficult::reading, Difficult::system_exit}));
    expect_failure<chorus::WorkerDied>(Difficult::reading, Difficult::leave, "exit code 7");
}

TEST_P(Deadlock, test_error_at_task_unpickle) {
    expect_failure<std::range_error>(Difficult::reading, Difficult::error, "difficult");
}

TEST_P(Deadlock, test_crash_at_task_unpickle) {
    expect_failure<chorus::WorkerDied>(Difficult::reading, Difficult::crash, "SIGSEGV");
}

// ---- while it runs ---------------------------------------------------------------------------------

TEST_P(Deadlock, test_crash_during_func_exec_on_worker) {
    mp::Pool pool(2);
    expect_failure<chorus::WorkerDied>(pool, pool.submit(crash, 1), "SIGSEGV");
}

TEST_P(Deadlock, test_exit_during_func_exec_on_worker) {
    mp::Pool pool(2);
    expect_exit(pool, pool.submit(leave_early, 7));
}

TEST_P(Deadlock, test_error_during_func_exec_on_worker) {
    mp::Pool pool(2);
    expect_failure<std::out_of_range>(pool, pool.submit(refuse_odd, 7), "odd: 7");
}

// ---- the result in flight --------------------------------------------------------------------------

TEST_P(Deadlock, test_crash_during_result_pickle_on_worker) {
    expect_failure_of_result<chorus::WorkerDied>(Difficult::writing, Difficult::crash, "SIGSEGV");
}

TEST_P(Deadlock, test_exit_during_result_pickle_on_worker) {
    mp::Pool pool(2);
    expect_exit(pool, pool.submit(give_difficult, Difficult::writing, Difficult::system_exit)
                          .then([](const Difficult&) { return 1; }));
    expect_failure_of_result<chorus::WorkerDied>(Difficult::writing, Difficult::leave, "exit code 7");
}

TEST_P(Deadlock, test_error_during_result_pickle_on_worker) {
    expect_failure_of_result<std::range_error>(Difficult::writing, Difficult::error, "difficult");
}

TEST_P(Deadlock, test_error_during_result_unpickle_in_result_handler) {
    expect_failure_of_result<std::range_error>(Difficult::reading, Difficult::error, "difficult");
}

TEST_P(Deadlock, test_exit_during_result_unpickle_in_result_handler) {
    mp::Pool pool(2);
    expect_exit(pool, pool.submit(give_difficult, Difficult::reading, Difficult::system_exit));
}

// ---- at its end, and under load --------------------------------------------------------------------

TEST_P(Deadlock, test_shutdown_deadlock) {
    mp::Semaphore begun(0);
    mp::Semaphore go(0);
    mp::Pool pool(2);
    const auto future = pool.submit(
        [](mp::Semaphore b, mp::Semaphore g) {
            begin_and_await(b, g);
            return crash(1);
        },
        begun, go);
    await_begun(begun, 1);
    pool.close();
    go.release();
    EXPECT_TRUE(pool.join(20s));
    EXPECT_THROW(future.get(chorus::now), chorus::WorkerDied);
}

TEST_P(Deadlock, test_shutdown_deadlock_pickle) {
    mp::Pool pool(2);
    pool.apply(square, 42);
    const auto future = pool.submit(take_difficult, Difficult{Difficult::writing, Difficult::error});
    pool.shutdown({.wait = false});
    EXPECT_THROW(future.get(20s), std::range_error);
    EXPECT_TRUE(pool.join(20s));
}

TEST_P(Deadlock, test_crash_big_data) {
    mp::Pool pool(2);
    const std::vector<std::string> items(10, std::string(std::size_t{4} << 20, 'a'));
    EXPECT_THROW(
        pool.map(
            {.chunksize = 1}, [](const std::string& text) { return crash(text.empty() ? 0 : 1); }, items),
        chorus::WorkerDied);
    EXPECT_EQ(pool.submit(square, 3).get(20s), 9);
}

std::string text_after(const mp::Event& go, int number) {
    go.wait();
    return std::string(static_cast<std::size_t>(number), static_cast<char>('a' + number % 26));
}

// Only the thread that runs the callback can receive the result that the callback waits for.
TEST_P(Deadlock, callbacks_wait_for_other_futures_of_their_pool) {
    constexpr int count = 150;
    mp::Event go;
    mp::Pool pool(2);
    std::vector<chorus::Future<std::string>> futures;
    for (int i = 0; i < count; ++i) futures.push_back(pool.submit(text_after, go, i));
    std::vector<std::string> seen(count);
    for (int i = 0; i < count; ++i) {
        const auto at = static_cast<std::size_t>(i);
        futures[at].add_done_callback(
            [&futures, &seen, at](const auto&) { seen[at] = futures[(at * 7 + 1) % count].get(20s); });
    }
    go.set();
    pool.close();
    ASSERT_TRUE(pool.join(20s));
    for (int i = 0; i < count; ++i)
        EXPECT_EQ(seen[static_cast<std::size_t>(i)], text_after(go, (i * 7 + 1) % count)) << i;
}

// A callback holds up the pool's own thread, so no thread reads what workers say or sees to new ones.
TEST_P(Deadlock, test_gh105829_should_not_deadlock_if_wakeup_pipe_full) {
    mt::Event held_up;
    mt::Event go;
    mp::Event first;
    mp::Pool pool(2);
    pool.submit(await, first, 1).add_done_callback([&](const chorus::Future<int>&) {
        held_up.set();
        go.wait();
    });
    first.set();
    ASSERT_TRUE(held_up.wait(20s));
    std::vector<chorus::Future<int>> futures;
    for (int i = 0; i < 1000; ++i) futures.push_back(pool.submit(square, i));
    go.set();
    for (int i = 0; i < 1000; ++i) ASSERT_EQ(futures[static_cast<std::size_t>(i)].get(20s), i * i);
}

}  // namespace
