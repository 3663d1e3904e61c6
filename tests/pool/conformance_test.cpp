// Pool, as CPython's tests of multiprocessing.Pool have it; the names are theirs.
#include <atomic>
#include <ranges>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <pool/calls.hpp>
#include <pool/counted.hpp>
#include <pool/difficult.hpp>

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

namespace {

template <class Par>
using PoolOf = EachWay<Par>;
EACH_WAY_SUITE(PoolOf, ThreadsAndProcesses);

std::vector<int> numbers_below(int end) {
    std::vector<int> numbers;
    for (int i = 0; i < end; ++i) numbers.push_back(i);
    return numbers;
}
std::vector<int> squares_below(int end) {
    std::vector<int> squares;
    for (int i = 0; i < end; ++i) squares.push_back(i * i);
    return squares;
}

class SayWhen : public std::runtime_error {
public:
    SayWhen() : std::runtime_error("when") {}
};
// Numbers from 0, of which one cannot be had.
auto throwing_at(int where, int end) {
    return std::views::iota(0, end) |
           std::views::transform([where](int x) { return x == where ? throw SayWhen() : x; });
}

template <class Results>
std::vector<int> rest_of(Results& results) {
    std::vector<int> all;
    while (const auto one = results.next()) all.push_back(*one);
    return all;
}

// ---- one call --------------------------------------------------------------------------------------

constexpr auto scale =
    chorus::named<"number", "factor">([](int number, int factor) { return number * factor; });

EACH_WAY_TEST(PoolOf, test_apply) {
    typename TypeParam::Pool pool(2);
    EXPECT_EQ(pool.apply(square, 5), 25);
    EXPECT_EQ(pool.apply(scale, chorus::kw<"factor"> = 3, chorus::kw<"number"> = 4), 12);
    EXPECT_EQ(pool.apply(scale, 5, chorus::kw<"factor"> = 3), 15);
}

EACH_WAY_TEST(PoolOf, test_async) {
    typename TypeParam::Pool pool(2);
    mp::Event go;
    const auto future = pool.apply_async(await, go, 49);
    EXPECT_THROW(future.get(20ms), chorus::TimedOut);
    EXPECT_FALSE(future.done());
    go.set();
    EXPECT_EQ(future.get(20s), 49);
}

// ---- many calls ------------------------------------------------------------------------------------

EACH_WAY_TEST(PoolOf, test_starmap) {
    typename TypeParam::Pool pool(2);
    std::vector<std::pair<int, int>> pairs;
    for (int i = 0; i < 100; ++i) pairs.emplace_back(i, 99 - i);
    const std::vector<int> sums(100, 99);
    EXPECT_EQ(pool.starmap(add, pairs), sums);
    EXPECT_EQ(pool.starmap({.chunksize = 20}, add, pairs), sums);
}

EACH_WAY_TEST(PoolOf, test_starmap_async) {
    typename TypeParam::Pool pool(2);
    const std::vector<std::pair<int, int>> pairs{{1, 2}, {3, 4}, {5, 6}};
    EXPECT_THAT(pool.starmap_async(add, pairs).get(20s), ElementsAre(3, 7, 11));
}

EACH_WAY_TEST(PoolOf, test_map_async) {
    typename TypeParam::Pool pool(2);
    EXPECT_EQ(pool.map_async(square, numbers_below(10)).get(20s), squares_below(10));
}

EACH_WAY_TEST(PoolOf, test_map_async_callbacks) {
    using Values = std::vector<int>;
    mt::Queue<Values> values;  // the callbacks' own objects: before the pool
    mt::Queue<std::exception_ptr> errors;
    typename TypeParam::Pool pool(2);
    const auto tell = [&](const chorus::Future<Values>& done) {
        if (const auto error = done.exception()) {
            errors.put(error);
        } else {
            values.put(done.get());
        }
    };
    pool.map_async(refuse_odd, Values{4}).add_done_callback(tell);
    EXPECT_THAT(values.get(20s), ElementsAre(4));
    pool.map_async(refuse_odd, Values{5}).add_done_callback(tell);
    EXPECT_THROW(std::rethrow_exception(errors.get(20s)), std::out_of_range);
    pool.close();
    pool.join();
    EXPECT_TRUE(values.empty()) << "each is called once";
    EXPECT_TRUE(errors.empty());
}

EACH_WAY_TEST(PoolOf, test_map_handle_iterable_exception) {
    typename TypeParam::Pool pool(2);
    for (int i = 0; i < 2; ++i)
        EXPECT_THROW(pool.map({.chunksize = 1}, square, throwing_at(0, 1)), SayWhen)
            << "the second time as the first";
    EXPECT_THROW(pool.map({.chunksize = 1}, square, throwing_at(3, 10)), SayWhen);
    static_assert(std::ranges::sized_range<decltype(throwing_at(0, 1))>);
    auto of_no_size = throwing_at(3, 10) | std::views::filter([](int) { return true; });
    EXPECT_THROW(pool.map({.chunksize = 1}, square, of_no_size), SayWhen);
    EXPECT_EQ(pool.apply(square, 3), 9);
}

EACH_WAY_TEST(PoolOf, test_imap) {
    typename TypeParam::Pool pool(2);
    auto results = pool.imap(square, numbers_below(10));
    for (int i = 0; i < 10; ++i) EXPECT_EQ(results.next(), i * i);
    EXPECT_EQ(results.next(), std::nullopt);
    EXPECT_EQ(results.next(), std::nullopt) << "and so it stays";
    auto by_hundreds = pool.imap({.chunksize = 100}, square, numbers_below(1000));
    EXPECT_EQ(rest_of(by_hundreds), squares_below(1000));
}

EACH_WAY_TEST(PoolOf, test_imap_handle_iterable_exception) {
    typename TypeParam::Pool pool(2);
    // Which item cannot be had, how many items a task has, and how many results come before: the broken task
    // is lost.
    struct Case {
        int where, chunksize, before;
    };
    for (const auto& [where, chunksize, before] :
         {Case{0, 1, 0}, Case{0, 1, 0}, Case{3, 1, 3}, Case{7, 2, 6}, Case{7, 4, 4}}) {
        auto results =
            pool.imap({.chunksize = static_cast<std::size_t>(chunksize)}, square, throwing_at(where, 20));
        for (int i = 0; i < before; ++i) ASSERT_EQ(results.next(), i * i);
        EXPECT_THROW(results.next(), SayWhen);
    }
    EXPECT_EQ(pool.apply(square, 3), 9);
}

EACH_WAY_TEST(PoolOf, test_imap_unordered_handle_iterable_exception) {
    typename TypeParam::Pool pool(2);
    for (const std::size_t chunksize : {1U, 2U}) {
        auto results = pool.imap_unordered({.chunksize = chunksize}, square, throwing_at(7, 20));
        std::set<int> seen;
        EXPECT_THROW(while (const auto one = results.next()) EXPECT_TRUE(seen.insert(*one).second), SayWhen);
        for (const int each : seen) EXPECT_LE(each, 36);
    }
}

EACH_WAY_TEST(PoolOf, test_empty_iterable) {
    typename TypeParam::Pool pool(1);
    const std::vector<int> none;
    EXPECT_THAT(pool.map(square, none), IsEmpty());
    EXPECT_THAT(pool.map_async({.chunksize = 1}, square, none).get(20s), IsEmpty());
    EXPECT_EQ(pool.imap(square, none).next(), std::nullopt);
    EXPECT_EQ(pool.imap_unordered(square, none).next(), std::nullopt);
}

void throw_large_error(mp::Semaphore begun) {
    begun.release();
    throw std::invalid_argument(std::string(std::size_t{1} << 20, 'x'));
}

EACH_WAY_TEST(PoolOf, test_map_no_failfast) {
    typename TypeParam::Pool pool(2);
    mp::Semaphore begun(0);
    EXPECT_THROW(pool.map({.chunksize = 1}, throw_large_error, std::vector<mp::Semaphore>(8, begun)),
                 std::invalid_argument);
    EXPECT_EQ(begun.get_value(), 8) << "all jobs are waited for";
    pool.close();
    EXPECT_TRUE(pool.join(20s));
}

EACH_WAY_TEST(PoolOf, test_release_task_refs) {
    typename TypeParam::Pool pool(2);
    {
        std::vector<Counted> items(10);
        EXPECT_EQ(pool.map(give_back, items).size(), 10U);
        EXPECT_GE(Counted::living(), 10);
    }
    EXPECT_TRUE(eventually([] { return Counted::living() == 0; })) << Counted::living();
}

// ---- errors ----------------------------------------------------------------------------------------

EACH_WAY_TEST(PoolOf, test_async_error_callback) {
    mt::Queue<std::exception_ptr> errors;
    typename TypeParam::Pool pool(2);
    const auto future = pool.apply_async(refuse_odd, 7);
    future.add_done_callback([&](const chorus::Future<int>& done) { errors.put(done.exception()); });
    EXPECT_THROW(future.get(20s), std::out_of_range);
    EXPECT_THROW(std::rethrow_exception(errors.get(20s)), std::out_of_range);
}

EACH_WAY_TEST(PoolOf, test_large_pool) {
    typename TypeParam::Pool pool(200);
    testing::internal::CaptureStderr();
    int sum = 0;
    for (const int each : pool.map({.chunksize = 1}, square, numbers_below(1000))) sum += each;
    pool.close();
    pool.join();
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
    EXPECT_EQ(sum, 332'833'500);
}

struct NotRegistered {
    int number;
};

TEST(ThreadPool, test_wrapped_exception) {
    mt::Pool pool(1);
    const auto future = pool.submit([]() -> int { throw NotRegistered{5}; });
    try {
        future.get(20s);
        ADD_FAILURE() << "no exception";
    } catch (const NotRegistered& error) {
        EXPECT_EQ(error.number, 5);
    }
}

class ProcessPool : public EachStartMethod {};
FOR_EACH_START_METHOD(ProcessPool);

TEST_P(ProcessPool, test_map_unplicklable) {
    mp::Pool pool(2);
    EXPECT_THROW(pool.map(take_difficult, std::vector<Difficult>(10, {Difficult::writing, Difficult::error})),
                 std::range_error);
    EXPECT_EQ(pool.apply(square, 3), 9);
}

[[gnu::noinline]] int throw_what_is_not_registered() { throw NotRegistered{5}; }

// An exception that is rebuilt is the program's own, as it would be without a pool; what cannot be rebuilt
// tells where it was thrown.
TEST_P(ProcessPool, test_traceback) {
    mp::Pool pool(1);
    const auto future = pool.submit(throw_what_is_not_registered);
    try {
        future.get(20s);
        ADD_FAILURE() << "no exception";
    } catch (const chorus::RemoteError& error) {
        EXPECT_THAT(error.type(), HasSubstr("NotRegistered"));
        EXPECT_THAT(error.stack(), HasSubstr("throw_what_is_not_registered"));
    }
    EXPECT_THROW(pool.map(square, throwing_at(0, 1)), SayWhen)
        << "it was never in a worker, and is not wrapped";
}

TEST_P(ProcessPool, test_unpickleable_result) {
    mp::Semaphore begun(0);
    mp::Semaphore go(0);
    mp::Pool pool(2);
    for (int i = 0; i < 2; ++i) pool.submit(begin_and_await, begun, go);
    await_begun(begun, 2);
    go.release(2);
    const auto workers = workers_of(pool, 2);
    for (int i = 0; i < 20; ++i)
        EXPECT_THROW(pool.apply(give_difficult, Difficult::writing, Difficult::error), std::range_error);
    EXPECT_EQ(pool.apply(square, 3), 9);
    EXPECT_EQ(pool.worker_pids(), workers);
}

// ---- the life of workers ---------------------------------------------------------------------------

EACH_WAY_TEST(PoolOf, test_pool_worker_lifetime_early_close) {
    typename TypeParam::Pool pool(3, {.max_tasks_per_child = 1});
    mp::Event go;
    std::vector<chorus::Future<int>> futures;
    for (int i = 0; i < 6; ++i) futures.push_back(pool.submit(await, go, i * i));
    pool.close();
    go.set();
    ASSERT_TRUE(pool.join(20s));
    for (int i = 0; i < 6; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].get(chorus::now), i * i);
}

}  // namespace
