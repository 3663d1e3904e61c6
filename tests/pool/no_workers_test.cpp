// Pools that cannot have the workers which they want. The names are those of CPython's tests.
#include <string>
#include <vector>

#include <sys/resource.h>

#include <pool/calls.hpp>
#include <support/run_program.hpp>

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

namespace {

// While it lives nothing can be opened here, so no process can be started.
class NoDescriptors {
public:
    NoDescriptors() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        rlimit few = before_;
        few.rlim_cur = 3;
        ::setrlimit(RLIMIT_NOFILE, &few);
    }
    ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    NoDescriptors(const NoDescriptors&) = delete;
    NoDescriptors& operator=(const NoDescriptors&) = delete;

private:
    rlimit before_{};
};

class ProcessPool : public EachStartMethod {};
FOR_EACH_START_METHOD(ProcessPool);

// Workers come one by one, so those that are there go on; more come when there is room.
TEST_P(ProcessPool, no_descriptors_left_for_more_workers_leaves_those_that_are_there) {
    mp::Semaphore begun(0);
    mp::Semaphore go(0);
    mp::Pool pool(3);
    ASSERT_EQ(pool.apply(square, 1), 1);
    workers_of(pool, 1);  // its start is done: nothing more has to be opened for it
    {
        const NoDescriptors none;
        std::vector<chorus::Future<int>> futures;
        for (int i = 0; i < 20; ++i) futures.push_back(pool.submit(square, i));
        for (int i = 0; i < 20; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].get(20s), i * i);
        EXPECT_THAT(pool.worker_pids(), SizeIs(1));
    }
    for (int i = 0; i < 3; ++i) pool.submit(begin_and_await, begun, go);
    await_begun(begun, 3);
    workers_of(pool, 3);
    go.release(3);
}

TEST_P(ProcessPool, no_descriptors_left_for_the_only_worker_breaks_the_pool) {
    mp::Semaphore begun(0);
    mp::Semaphore go(0);
    mp::Pool pool(1, {.max_tasks_per_child = 1});
    const auto last = pool.submit(begin_and_await, begun, go);
    const auto never = pool.submit(square, 3);
    await_begun(begun, 1);
    workers_of(pool, 1);  // its start is done: nothing more has to be opened for it
    const NoDescriptors none;
    go.release();
    EXPECT_EQ(last.get(20s), 1);
    try {
        never.get(20s);
        ADD_FAILURE() << "it was done";
    } catch (const chorus::BrokenPool& error) {
        EXPECT_THAT(error.what(), HasSubstr("the pool can start no worker: "));
    }
    EXPECT_THROW(pool.submit(square, 3), chorus::BrokenPool);
    EXPECT_TRUE(pool.join(20s));
    EXPECT_THAT(mp::active_children(), IsEmpty());
}

class NoThreads : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(with, NoThreads, testing::Values("threads", "forkserver", "spawn", "fork"),
                         method_name);

TEST_P(NoThreads, test_python_finalization_error) {
    const auto result = run_program({test_program("pools"), "no_threads", GetParam()});
    if (result.exit_code == 77) GTEST_SKIP() << "it takes another user, who may have no process";
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.lines(), ElementsAre(HasSubstr("refused: "), HasSubstr("refused: "), "and then: 9"));
}

}  // namespace
