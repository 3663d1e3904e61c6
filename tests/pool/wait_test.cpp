// wait and as_completed over a pool's futures and others in each state, as CPython's tests have it; the names
// are theirs.
#include <algorithm>
#include <vector>

#include <pool/calls.hpp>
#include <support/futures_by_hand.hpp>

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

namespace {

using Futures = std::vector<chorus::Future<int>>;

// ---- wait ------------------------------------------------------------------------------------------

template <class Par>
using WaitOf = EachWay<Par>;
EACH_WAY_SUITE(WaitOf, ThreadsAndProcesses);

EACH_WAY_TEST(WaitOf, test_20369) {
    typename TypeParam::Pool pool(1);
    const auto future = pool.submit(square, 3);
    const auto waited = chorus::wait(Futures{future, future});
    EXPECT_THAT(waited.done, ElementsAre(future));
    EXPECT_THAT(waited.not_done, IsEmpty());
}

EACH_WAY_TEST(WaitOf, test_first_completed_some_already_completed) {
    mp::Event go;
    typename TypeParam::Pool pool(1);
    const auto open = pool.submit(await, go, 1);
    const auto cancelled = cancelled_future();
    const auto successful = successful_future();
    const auto waited =
        chorus::wait(Futures{cancelled, successful, open}, {.return_when = chorus::FIRST_COMPLETED});
    EXPECT_THAT(waited.done, ElementsAre(cancelled, successful));
    EXPECT_THAT(waited.not_done, ElementsAre(open));
    go.set();
}

EACH_WAY_TEST(WaitOf, test_first_exception_some_already_complete) {
    mp::Event go;
    typename TypeParam::Pool pool(2);
    const auto open = pool.submit(await, go, 1);
    const auto fails = pool.submit(refuse_odd, 1);
    const auto successful = successful_future();
    const auto cancelled = cancelled_future();
    const auto pending = pending_future();
    const auto waited = chorus::wait(Futures{successful, cancelled, pending, fails, open},
                                     {.return_when = chorus::FIRST_EXCEPTION});
    EXPECT_THAT(waited.done, ElementsAre(successful, cancelled, fails));
    EXPECT_THAT(waited.not_done, ElementsAre(pending, open));
    go.set();
}

EACH_WAY_TEST(WaitOf, test_first_exception_one_already_failed) {
    mp::Event go;
    typename TypeParam::Pool pool(1);
    const auto open = pool.submit(await, go, 1);
    const auto failed = failed_future();
    const auto waited = chorus::wait(Futures{failed, open}, {.return_when = chorus::FIRST_EXCEPTION});
    EXPECT_THAT(waited.done, ElementsAre(failed));
    EXPECT_THAT(waited.not_done, ElementsAre(open));
    go.set();
}

EACH_WAY_TEST(WaitOf, test_all_completed) {
    typename TypeParam::Pool pool(2);
    const Futures all{successful_future(), cancelled_future(), failed_future(), pool.submit(refuse_odd, 1),
                      pool.submit(square, 3)};
    const auto waited = chorus::wait(all, {.return_when = chorus::ALL_COMPLETED});
    EXPECT_EQ(waited.done, all);
    EXPECT_THAT(waited.not_done, IsEmpty());
}

EACH_WAY_TEST(WaitOf, test_timeout) {
    mp::Event go;
    typename TypeParam::Pool pool(1);
    const auto open = pool.submit(await, go, 1);
    const Futures ended{cancelled_future(), failed_future(), successful_future()};
    Futures all = ended;
    all.push_back(open);
    const auto waited = chorus::wait(all, {.timeout = 50ms});
    EXPECT_EQ(waited.done, ended);
    EXPECT_THAT(waited.not_done, ElementsAre(open));
    go.set();
}

EACH_WAY_TEST(WaitOf, test_pending_calls_race) {
    mp::Event go;
    typename TypeParam::Pool pool(4);
    Futures futures;
    for (int i = 0; i < 100; ++i) futures.push_back(pool.submit(await, go, i));
    go.set();
    const auto waited = chorus::wait(futures, {.timeout = 20s});
    EXPECT_THAT(waited.done, SizeIs(100));
    EXPECT_THAT(waited.not_done, IsEmpty());
}

// ---- as_completed ----------------------------------------------------------------------------------

template <class Par>
using AsCompletedOf = EachWay<Par>;
EACH_WAY_SUITE(AsCompletedOf, ThreadsAndProcesses);

EACH_WAY_TEST(AsCompletedOf, test_no_timeout) {
    typename TypeParam::Pool pool(2);
    const Futures all{cancelled_future(), failed_future(), successful_future(), pool.submit(square, 2),
                      pool.submit(square, 3)};
    Futures completed;
    for (const auto& each : chorus::as_completed(all)) completed.push_back(each);
    EXPECT_THAT(completed, testing::UnorderedElementsAreArray(all));
}

EACH_WAY_TEST(AsCompletedOf, test_future_times_out) {
    mp::Event go;
    typename TypeParam::Pool pool(1);
    const auto open = pool.submit(await, go, 1);
    const Futures ended{cancelled_future(), failed_future(), successful_future()};
    Futures all = ended;
    all.push_back(open);
    for (const chorus::Deadline deadline : {chorus::Deadline(chorus::now), chorus::Deadline(20ms)}) {
        Futures completed;
        EXPECT_THROW(
            {
                for (const auto& each : chorus::as_completed(all, deadline)) completed.push_back(each);
            },
            chorus::TimedOut);
        EXPECT_THAT(completed, testing::UnorderedElementsAreArray(ended));
    }
    go.set();
}

EACH_WAY_TEST(AsCompletedOf, test_duplicate_futures) {
    typename TypeParam::Pool pool(1);
    const auto future = pool.submit(square, 3);
    Futures completed;
    for (const auto& each : chorus::as_completed(Futures{future, future})) completed.push_back(each);
    EXPECT_THAT(completed, ElementsAre(future));
}

}  // namespace
