// The end of a Pool, as CPython's tests of concurrent.futures' shutdown have it; the names are theirs.
#include <string>
#include <vector>

#include <pool/calls.hpp>
#include <support/run_program.hpp>
#include <support/until_asleep.hpp>

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;

namespace {

template <class Par>
class ShutdownOf : public EachWay<Par> {
protected:
    static ProgramResult run_pools(const std::string& which) {
        return run_program({test_program("pools"), which, EachWay<Par>::way()});
    }
};
EACH_WAY_SUITE(ShutdownOf, ThreadsAndProcesses);

EACH_WAY_TEST(ShutdownOf, test_run_after_shutdown) {
    typename TypeParam::Pool pool(2);
    pool.apply(square, 3);
    pool.shutdown();
    EXPECT_THROW(pool.submit(square, 3), chorus::UsageError);
    EXPECT_THROW(pool.map(square, std::vector<int>{3}), chorus::UsageError);
    pool.shutdown();
}

EACH_WAY_TEST(ShutdownOf, test_hang_issue12364) {
    typename TypeParam::Pool pool(2);
    std::vector<chorus::Future<int>> futures;
    for (int i = 0; i < 50; ++i) futures.push_back(pool.submit(square, i));
    pool.shutdown();
    for (int i = 0; i < 50; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].get(chorus::now), i * i);
}

EACH_WAY_TEST(ShutdownOf, test_hang_gh94440) {
    for (int i = 0; i < 20; ++i) {
        typename TypeParam::Pool pool(1);
        pool.apply(square, 3);
        pool.submit(square, 3).cancel();
        pool.close();
        ASSERT_TRUE(pool.join(20s));
    }
}

EACH_WAY_TEST(ShutdownOf, test_shutdown_no_wait) {
    mp::Event go;
    typename TypeParam::Pool pool(2);
    std::vector<chorus::Future<int>> futures;
    for (int i = 0; i < 10; ++i) futures.push_back(pool.submit(await, go, i));
    pool.shutdown({.wait = false});
    EXPECT_FALSE(futures[0].done());
    go.set();
    for (int i = 0; i < 10; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].get(20s), i);
    EXPECT_TRUE(pool.join(20s));
    EXPECT_THAT(pool.worker_pids(), IsEmpty());
}

// A waiter drains the last answer itself: the pool's own thread has to learn that no task is left.
EACH_WAY_TEST(ShutdownOf, closed_while_somebody_waits_for_the_last_task) {
    mp::Semaphore begun(0);
    mp::Semaphore go(0);
    typename TypeParam::Pool pool(1);
    const auto future = pool.submit(begin_and_await, begun, go);
    await_begun(begun, 1);
    pool.shutdown({.wait = false});
    mt::Thread waiter([&] { EXPECT_EQ(future.get(20s), 1); });
    waiter.start();
    until_asleep(waiter);
    go.release();
    waiter.join();
    EXPECT_TRUE(pool.join(20s));
}

EACH_WAY_TEST(ShutdownOf, test_shutdown_no_wait_max_tasks_gh119592) {
    mp::Event go;
    typename TypeParam::Pool pool(1, {.max_tasks_per_child = 1});
    std::vector<chorus::Future<int>> futures;
    for (int i = 0; i < 3; ++i) futures.push_back(pool.submit(await, go, i));
    pool.shutdown({.wait = false});
    go.set();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].get(20s), i);
    EXPECT_TRUE(pool.join(20s));
}

EACH_WAY_TEST(ShutdownOf, test_shutdown_gh_132969_case_1) {
    testing::internal::CaptureStderr();
    {
        typename TypeParam::Pool pool(1, {.max_tasks_per_child = 1});
        const auto failing = pool.submit(refuse_odd, 1);
        pool.shutdown({.wait = false});
        EXPECT_THROW(failing.get(20s), std::out_of_range);
    }
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

EACH_WAY_TEST(ShutdownOf, test_shutdown_gh_132969_case_2) {
    mp::Event go;
    typename TypeParam::Pool pool(2, {.max_tasks_per_child = 1});
    const auto waiting = pool.submit(await, go, 5);
    const auto failing = pool.submit(refuse_odd, 1);
    const auto next = pool.submit(refuse_odd, 2);
    pool.shutdown({.wait = false});
    EXPECT_THROW(failing.get(20s), std::out_of_range);
    EXPECT_EQ(next.get(20s), 2);
    go.set();
    EXPECT_EQ(waiting.get(20s), 5);
    EXPECT_TRUE(pool.join(20s));
}

// ---- at the end of a program -----------------------------------------------------------------------

EACH_WAY_TEST(ShutdownOf, test_interpreter_shutdown) {
    const auto result = this->run_pools("running_task");
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.out, "main ends\napple\n");
    EXPECT_EQ(result.err, "");
}

EACH_WAY_TEST(ShutdownOf, test_hang_gh83386) {
    const auto result = this->run_pools("shutdown_without_waiting");
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.out, "main ends\napple\n");
    EXPECT_EQ(result.err, "");
}

EACH_WAY_TEST(ShutdownOf, test_submit_after_interpreter_shutdown) {
    const auto result = this->run_pools("submit_at_the_end");
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_THAT(result.lines(), ElementsAre("done: 9", MatchesRegex("used: refused: .+"),
                                            MatchesRegex("unused: refused: .+")));
    EXPECT_EQ(result.err, "");
}

EACH_WAY_TEST(ShutdownOf, test_worker_finalization_via_atexit_handler_of_multiprocessing) {
    const auto result = this->run_pools("global_pool");
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.out, "1 4 9\n");
    EXPECT_EQ(result.err, "");
}

// ---- the workers -----------------------------------------------------------------------------------

class ProcessPool : public EachStartMethod {};
FOR_EACH_START_METHOD(ProcessPool);

TEST_P(ProcessPool, test_processes_terminate) {
    mp::Semaphore begun(0);
    mp::Semaphore go(0);
    mp::Pool pool(5);
    for (int i = 0; i < 3; ++i) pool.submit(begin_and_await, begun, go);
    await_begun(begun, 3);
    const auto workers = workers_of(pool, 3);  // not all five: they come on demand
    go.release(3);
    pool.shutdown();
    EXPECT_THAT(pool.worker_pids(), IsEmpty());
    for (const int each : workers) EXPECT_FALSE(is_running(each));
}

TEST(ThreadPool, test_threads_terminate) {
    mp::Semaphore begun(0);
    mp::Semaphore go(0);
    mt::Pool pool(5);
    for (int i = 0; i < 3; ++i) pool.submit(begin_and_await, begun, go);
    await_begun(begun, 3);
    EXPECT_EQ(mt::active_count(), 1U + 3U) << "one for each";
    go.release(3);
    pool.shutdown();
    EXPECT_EQ(mt::active_count(), 1U);
}

TEST(ThreadPool, test_thread_names_assigned) {
    mp::Semaphore begun(0);
    mp::Semaphore go(0);
    mt::Pool pool(5, {.name = "SpecialPool"});
    for (int i = 0; i < 5; ++i) pool.submit(begin_and_await, begun, go);
    await_begun(begun, 5);
    std::vector<std::string> names;
    for (const auto& each : mt::enumerate()) names.push_back(each.name());
    EXPECT_THAT(names, testing::IsSupersetOf({"SpecialPool_0", "SpecialPool_1", "SpecialPool_2",
                                              "SpecialPool_3", "SpecialPool_4"}));
    go.release(5);
}

TEST(ThreadPool, test_thread_names_default) {
    mt::Pool pool(1);
    EXPECT_THAT(pool.apply([] { return mt::current_thread().name(); }), MatchesRegex("ThreadPool-[0-9]+_0"));
}

}  // namespace
