// Value and Array: shared numbers and their lock.
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <numeric>
#include <span>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <support/message_of.hpp>
#include <support/start_methods.hpp>

using testing::Each;
using testing::ElementsAre;

namespace {

class Value : public EachStartMethod {};
class Array : public EachStartMethod {};
class SharedCTypes : public EachStartMethod {};
FOR_EACH_START_METHOD(Value);
FOR_EACH_START_METHOD(Array);
FOR_EACH_START_METHOD(SharedCTypes);

template <class... Parameters, class... Arguments>
void run_in_child(void (*function)(Parameters...), const Arguments&... arguments) {
    mp::Process process(function, arguments...);
    process.start();
    process.join();
    EXPECT_EQ(process.exitcode(), 0);
}

std::size_t count_descriptors() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
    return count;
}

// ---- the rows of CPython's suite ---------------------------------------------------------------

void change_all(mp::Value<int> i, mp::Value<double> d, mp::Value<short> h, mp::Value<long long> q,
                mp::Value<char> c) {
    i.value() = 24;
    d.value() = 3.5;
    h.value() = -232;
    q.value() = 1LL << 33;
    c.value() = 'z';
}

TEST_P(Value, test_value) {
    mp::Value<int> i(7);
    mp::Value<double> d(1.0);
    mp::Value<short> h(7);
    mp::Value<long long> q;
    mp::Value<char> c('y');
    EXPECT_EQ(i.value(), 7);
    EXPECT_EQ(q.value(), 0);
    run_in_child(change_all, i, d, h, q, c);
    EXPECT_EQ(i.value(), 24);
    EXPECT_EQ(d.value(), 3.5);
    EXPECT_EQ(h.value(), -232);
    EXPECT_EQ(q.value(), 1LL << 33);
    EXPECT_EQ(c.value(), 'z');
}

template <class Shared>
constexpr bool has_lock = requires(Shared shared) {
    shared.get_lock();
    shared.get_obj();
};

TEST(Values, test_getobj_getlock) {
    const mp::Value<int> by_default(5);
    EXPECT_EQ(text_of(by_default.get_lock()), "<RLock(None, 0)>");
    EXPECT_EQ(by_default.get_obj().value(), 5);
    mp::Lock lock;
    const mp::Value<int> with_lock(5, lock);
    EXPECT_EQ(text_of(with_lock.get_lock()), "<Lock(owner=None)>");
    mp::RLock rlock;
    const mp::Value<int> with_rlock(5, rlock);
    const std::scoped_lock guard(with_lock.get_lock(), with_rlock.get_lock());
    EXPECT_TRUE(lock.locked());
    EXPECT_TRUE(rlock.locked());
    EXPECT_EQ(text_of(rlock), "<RLock(MainProcess, 1)>");
    EXPECT_FALSE(by_default.get_lock().locked());
    static_assert(has_lock<mp::Value<int>> && has_lock<mt::Value<int>>);
    static_assert(!has_lock<mp::RawValue<int>> && !has_lock<mt::RawValue<int>>);
    static_assert(!std::is_constructible_v<mp::Value<int>, int, mt::Lock> &&
                  !std::is_constructible_v<mp::Value<int>, int, std::mutex&>);
}

void sum_up(mp::Array<int> numbers) {
    const std::scoped_lock guard(numbers.get_lock());
    for (std::size_t i = 1; i < numbers.size(); ++i) numbers[i] += numbers[i - 1];
}

TEST_P(Array, test_array) {
    mp::Array<int> numbers{680, 626, 934, 821, 150, 233, 548, 982, 714, 831};
    EXPECT_EQ(numbers.size(), 10U);
    EXPECT_EQ(numbers[4], 150);
    const std::span<int> all = numbers;
    EXPECT_THAT(std::vector<int>(all.begin() + 2, all.begin() + 5), ElementsAre(934, 821, 150));
    std::ranges::copy(std::vector<int>{1, 2, 3, 4}, all.subspan(4, 4).begin());
    EXPECT_THAT(all, ElementsAre(680, 626, 934, 821, 1, 2, 3, 4, 714, 831));
    std::vector<int> sums(numbers.begin(), numbers.end());
    std::partial_sum(sums.begin(), sums.end(), sums.begin());
    run_in_child(sum_up, numbers);
    EXPECT_EQ(std::vector<int>(numbers.begin(), numbers.end()), sums);
}

TEST(Arrays, test_array_from_size) {
    for (int round = 0; round < 3; ++round) {
        mp::Array<int> numbers(10'000);
        EXPECT_EQ(numbers.size(), 10'000U);
        EXPECT_THAT(std::span<int>(numbers), Each(0));
        std::ranges::fill(numbers, -1);
    }
}

TEST(Arrays, test_getobj_getlock_obj) {
    const mp::Array<int> by_default(10);
    EXPECT_EQ(text_of(by_default.get_lock()), "<RLock(None, 0)>");
    EXPECT_EQ(by_default.get_obj().data(), by_default.data());
    mp::Lock lock;
    const std::vector<int> some{1, 2, 3};
    const mp::Array<int> of_size(10, lock);
    const mp::Array<int> of_list({1, 2, 3}, lock);
    const mp::Array<int> of_range(some, lock);
    EXPECT_THAT(std::span<int>(of_range), ElementsAre(1, 2, 3));
    for (const auto* array : {&of_size, &of_list, &of_range}) {
        const std::scoped_lock guard(*array);
        EXPECT_TRUE(lock.locked());
    }
    EXPECT_FALSE(lock.locked());
    static_assert(has_lock<mp::Array<int>> && has_lock<mt::Array<int>>);
    static_assert(!has_lock<mp::RawArray<int>> && !has_lock<mt::RawArray<int>>);
    static_assert(!std::is_constructible_v<mp::Array<int>, int, mt::Lock> &&
                  !std::is_constructible_v<mp::Array<int>, int, std::mutex&>);
}

struct Pair {
    int x;
    double y;
};

// The same program text, with locks and without, for processes and threads.
template <class IntCell, class DoubleCell, class PairCell, class Numbers, class Text>
void double_all(IntCell i, DoubleCell d, PairCell pair, Numbers numbers, Text text) {
    i.value() *= 2;
    d.value() *= 2;
    pair.value() = {pair.value().x * 2, pair.value().y * 2};
    for (double& number : numbers) number *= 2;
    const auto end = std::ranges::find(text, '\0');
    std::ranges::copy(std::string(text.begin(), end), end);
}

template <class Worker, class IntCell, class DoubleCell, class PairCell, class Numbers, class Text>
void expect_all_doubled() {
    IntCell i(7);
    DoubleCell d(1.0 / 3.0);
    PairCell pair({3, 2});
    Numbers numbers(10);
    std::iota(numbers.begin(), numbers.end(), 0.0);
    Text text(20);
    std::ranges::copy(std::string("hello"), text.begin());
    Worker worker(double_all<IntCell, DoubleCell, PairCell, Numbers, Text>, i, d, pair, numbers, text);
    worker.start();
    worker.join();
    EXPECT_EQ(i.value(), 14);
    EXPECT_DOUBLE_EQ(d.value(), 2.0 / 3.0);
    EXPECT_EQ(pair.value().x, 6);
    EXPECT_EQ(pair.value().y, 4);
    for (std::size_t n = 0; n < 10; ++n) EXPECT_DOUBLE_EQ(numbers[n], 2.0 * static_cast<double>(n));
    EXPECT_STREQ(text.data(), "hellohello");
}

TEST_P(SharedCTypes, test_sharedctypes) {
    expect_all_doubled<mp::Worker, mp::RawValue<int>, mp::RawValue<double>, mp::RawValue<Pair>,
                       mp::RawArray<double>, mp::RawArray<char>>();
}

TEST_P(SharedCTypes, test_synchronize) {
    expect_all_doubled<mp::Worker, mp::Value<int>, mp::Value<double>, mp::Value<Pair>, mp::Array<double>,
                       mp::Array<char>>();
}

TEST(SharedCTypesOfThreads, test_sharedctypes) {
    expect_all_doubled<mt::Worker, mt::RawValue<int>, mt::RawValue<double>, mt::RawValue<Pair>,
                       mt::RawArray<double>, mt::RawArray<char>>();
}

TEST(SharedCTypesOfThreads, test_synchronize) {
    expect_all_doubled<mt::Worker, mt::Value<int>, mt::Value<double>, mt::Value<Pair>, mt::Array<double>,
                       mt::Array<char>>();
}

TEST(Arrays, test_copy) {
    mp::Array<int> source{1, 2, 3};
    const mp::Array<int> copy(source.copy());
    const mp::Array<int> same(source.get_obj());
    source[0] = 9;
    EXPECT_THAT(std::span<int>(copy), ElementsAre(1, 2, 3));
    EXPECT_THAT(std::span<int>(same), ElementsAre(9, 2, 3));
    const std::scoped_lock guard(source.get_lock());
    EXPECT_FALSE(copy.get_lock().locked());
    EXPECT_FALSE(same.get_lock().locked()) << "a lock of its own for storage that it shares";
}

// ---- the lock ----------------------------------------------------------------------------------

constexpr int many_times = 100'000;

void count(mp::Value<long> total, mp::Barrier all_are_there) {
    all_are_there.wait();
    for (int i = 0; i < many_times; ++i) {
        const std::scoped_lock guard(total.get_lock());
        total.value() += 1;
    }
}

TEST_P(Value, is_counted_exactly_under_its_lock) {
    mp::Lock lock;
    for (const auto& total : {mp::Value<long>(0), mp::Value<long>(0, lock)}) {
        const mp::Barrier all_are_there(3);
        std::vector<mp::Process> processes;
        for (int i = 0; i < 3; ++i) processes.emplace_back(count, total, all_are_there);
        for (auto& process : processes) process.start();
        for (auto& process : processes) process.join();
        EXPECT_EQ(total.value(), 3L * many_times);
    }
}

TEST(ValuesOfThreads, are_counted_exactly_under_their_lock) {
    mt::Value<long> total;
    mt::Barrier all_are_there(3);
    std::vector<mt::Thread> threads;
    for (int i = 0; i < 3; ++i) {
        threads.emplace_back([total, all_are_there]() mutable {
            all_are_there.wait();
            for (int n = 0; n < many_times; ++n) {
                const std::scoped_lock guard(total);
                total.value() += 1;
            }
        });
    }
    for (auto& thread : threads) thread.start();
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(total.value(), 3L * many_times);
}

void expect_locked(mp::Value<int> a, mp::Array<int> b, mp::Value<int> c, std::string kinds) {
    // An RLock and a Lock arrive as what they are, and those that are one are one.
    const bool right = text_of(a.get_lock()).starts_with("<RLock") &&
                       text_of(b.get_lock()).starts_with("<Lock") && a.get_lock().locked() && !a.try_lock() &&
                       !b.get_lock().locked();
    b.acquire();
    if (!right || !c.get_lock().locked() || kinds != "kinds") std::_Exit(3);
    b.release();
}

TEST_P(Value, arrives_with_the_lock_it_has) {
    const mp::Value<int> a;
    mp::Lock lock;
    const mp::Array<int> b(3, lock);
    const mp::Value<int> c(0, lock);
    const std::scoped_lock guard(a);
    run_in_child(expect_locked, a, b, c, std::string("kinds"));
}

void fill_what_comes(mp::Queue<mp::Array<int>> arrays) {
    for (int i = 0; i < 2; ++i) {
        const auto array = arrays.get();
        const std::scoped_lock guard(array);
        array[0] = static_cast<int>(array.size());
    }
}

TEST_P(Array, is_sent_through_a_queue_to_who_has_begun_already) {
    mp::Queue<mp::Array<int>> arrays;
    mp::Process process(fill_what_comes, arrays);
    process.start();
    const mp::Array<int> small(3);
    const mp::Array<int> large(30'000);
    arrays.put(small);
    arrays.put(large);
    process.join();
    EXPECT_EQ(process.exitcode(), 0);
    EXPECT_EQ(small[0], 3);
    EXPECT_EQ(large[0], 30'000);
}

void die_holding(mp::Value<int> number) {
    number.get_lock().acquire();
    number.value() = -1;
    std::raise(SIGKILL);
}

TEST_P(Value, tells_that_the_holder_of_its_lock_has_died) {
    mp::Value<int> number(1);
    mp::Process process(die_holding, number);
    process.start();
    process.join();
    EXPECT_EQ(process.exitcode(), -SIGKILL);
    EXPECT_THROW(number.get_lock().acquire(), chorus::OwnerDied);
    EXPECT_EQ(number.value(), -1) << "as the dead one left it";
    number.value() = 1;
    number.get_lock().recover();
    number.get_lock().release();
    EXPECT_TRUE(number.acquire(chorus::now));
    number.release();
}

TEST(Values, stay_shared_in_a_copy_made_by_fork) {
    const mp::Value<int> number(1);
    const mp::RawValue<int> has_tried(0);
    number.acquire();
    const int pid = ::fork();
    if (pid == 0) {
        const bool taken = number.try_lock();
        std::atomic_ref(has_tried.value()).store(1);
        if (taken) ::_exit(1);
        number.acquire();
        number.value() += 10;
        number.release();
        ::_exit(0);
    }
    while (std::atomic_ref(has_tried.value()).load() == 0) std::this_thread::yield();
    number.value() = 5;
    number.release();
    int status = -1;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(number.value(), 15);
}

TEST(Values, ten_thousand_made_and_dropped_leave_nothing_open) {
    { const mp::Value<int> first; }
    const std::size_t before = count_descriptors();
    for (int i = 0; i < 10'000; ++i) {
        const mp::Value<int> value(i);
        ASSERT_EQ(value.value(), i);
    }
    EXPECT_LE(count_descriptors(), before);
}

// Another type is reported, as with RawValue.
TEST(Values, another_type_is_told_from_what_lies_there) {
    const mp::Value<int> number(7);
    chorus::detail::message::Writer out;
    chorus::detail::message::encode(out, number);
    chorus::detail::message::Reader right(out.buffered());
    EXPECT_EQ(&chorus::detail::message::decode<mp::Value<int>>(right).value(), &number.value());
    chorus::detail::message::Reader wrong(out.buffered());
    EXPECT_THROW(chorus::detail::message::decode<mp::Value<unsigned>>(wrong), chorus::TypeMismatch);
}

}  // namespace
