// RawValue and RawArray: where they lie, how long, and how they reach another process.
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <list>
#include <numeric>
#include <random>
#include <span>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <support/message_of.hpp>
#include <support/start_methods.hpp>

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

class RawValue : public EachStartMethod {};
class RawArray : public EachStartMethod {};
FOR_EACH_START_METHOD(RawValue);
FOR_EACH_START_METHOD(RawArray);

struct Point {
    int x = 1;
    double y = 2;
};

/// Pieces of shared memory that this process has open.
std::size_t count_memory() {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code gone;
        if (std::filesystem::read_symlink(entry.path(), gone).string().find("memfd:chorus-object") !=
            std::string::npos)
            ++count;
        if (std::filesystem::read_symlink(entry.path(), gone).string().find("memfd:chorus-array") !=
            std::string::npos)
            ++count;
    }
    return count;
}

template <class T>
T there_and_back(const T& handle) {
    chorus::detail::message::Writer out;
    chorus::detail::message::encode(out, handle);
    chorus::detail::message::Reader in(out.buffered());
    return chorus::detail::message::decode<T>(in);
}

template <class Read, class T>
Read read_as(const T& handle) {
    chorus::detail::message::Writer out;
    chorus::detail::message::encode(out, handle);
    chorus::detail::message::Reader in(out.buffered());
    return chorus::detail::message::decode<Read>(in);
}

template <class Handle>
void run_in_child(void (*function)(Handle), const Handle& handle) {
    mp::Process process(function, handle);
    process.start();
    process.join();
    EXPECT_EQ(process.exitcode(), 0);
}

// ---- the rows of CPython's suite ---------------------------------------------------------------

template <class T>
void add_one(mp::RawValue<T> cell) {
    cell.value() = static_cast<T>(cell.value() + 1);
}

template <class T>
void expect_written_by_child(T value) {
    mp::RawValue<T> cell(value);
    run_in_child(add_one<T>, cell);
    EXPECT_EQ(cell.value(), static_cast<T>(value + 1));
}

TEST_P(RawValue, test_rawvalue) {
    expect_written_by_child<int>(7);
    expect_written_by_child<double>(1.5);
    expect_written_by_child<short>(-3);
    expect_written_by_child<long long>(1LL << 60);
    expect_written_by_child<char>('a');
}

void sum_up(mp::RawArray<int> numbers) {
    for (std::size_t i = 1; i < numbers.size(); ++i) numbers[i] += numbers[i - 1];
}

TEST_P(RawArray, test_rawarray) {
    mp::RawArray<int> numbers{680, 626, 934, 821, 150, 233, 548, 982, 714, 831};
    EXPECT_EQ(numbers.size(), 10U);
    EXPECT_EQ(numbers[4], 150);
    const std::span<int> all = numbers;
    EXPECT_THAT(std::vector<int>(all.begin() + 2, all.begin() + 5), ElementsAre(934, 821, 150));
    const std::array<int, 4> four{1, 2, 3, 4};
    std::ranges::copy(four, all.subspan(4, 4).begin());
    EXPECT_THAT(std::vector<int>(numbers.begin(), numbers.end()),
                ElementsAre(680, 626, 934, 821, 1, 2, 3, 4, 714, 831));
    std::vector<int> sums(numbers.begin(), numbers.end());
    std::partial_sum(sums.begin(), sums.end(), sums.begin());
    run_in_child(sum_up, numbers);
    EXPECT_EQ(std::vector<int>(numbers.begin(), numbers.end()), sums);
}

// Also where memory is used again: of one process by the allocator, of several by the system.
template <class Array>
void expect_zeroed(std::size_t size) {
    for (int round = 0; round < 20; ++round) {
        Array array(size);
        ASSERT_THAT(std::vector<int>(array.begin(), array.end()), Each(0));
        std::ranges::fill(array, -1);
    }
}

TEST(RawArrays, test_array_from_size) {
    for (const std::size_t size : {10U, 1000U, 5000U, 100000U}) {
        expect_zeroed<mp::RawArray<int>>(size);
        expect_zeroed<mt::RawArray<int>>(size);
    }
}

// Of all that lies in shared memory at a time, nothing lies over anything else, and all of it is given back.
TEST(Heap, test_heap) {
    const std::size_t before = count_memory();
    std::mt19937 random(1);
    {
        std::vector<mp::RawArray<unsigned>> blocks;
        for (unsigned i = 0; i < 5000; ++i) {
            if (blocks.size() > 100)
                blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(random() % blocks.size()));
            const std::size_t size =
                static_cast<std::size_t>(std::lognormal_distribution<>(4, 2)(random)) + 1;
            blocks.emplace_back(std::min<std::size_t>(size, 100'000));
            std::ranges::fill(blocks.back(), i);
        }
        for (const auto& block : blocks) ASSERT_THAT(std::span<unsigned>(block), Each(block[0]));
        std::vector<std::pair<unsigned*, unsigned*>> ranges;
        for (const auto& block : blocks) ranges.emplace_back(block.begin(), block.end());
        std::ranges::sort(ranges);
        for (std::size_t i = 1; i < ranges.size(); ++i) ASSERT_LE(ranges[i - 1].second, ranges[i].first);
    }
    EXPECT_LE(count_memory(), before + 1);  // where the next small object goes
}

struct DropsInItsEnd {
    mp::RawArray<int> array{1, 2, 3};
    ~DropsInItsEnd() { array = mp::RawArray<int>(2000); }
};

TEST(Heap, test_free_from_gc) {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([] {
            static thread_local DropsInItsEnd at_the_threads_end;
            at_the_threads_end.array[0] = 4;
            for (int i = 0; i < 1000; ++i) {
                const DropsInItsEnd here;
                const mp::RawValue<int> value(i);
                ASSERT_EQ(value.value(), i);
            }
        });
    }
    for (auto& thread : threads) thread.join();
    // Memory whose last object has gone when another takes its place: it goes amid an allocation.
    for (int i = 0; i < 3000; ++i) mp::RawValue<int>{i};
}

TEST(RawArrays, test_copy) {
    mp::RawArray<double> source{1, 2, 3};
    const mp::RawArray<double> copy = source.copy();
    mp::RawValue<Point> point({3, 4});
    const mp::RawValue<Point> other = point.copy();
    source[0] = 9;
    point.value() = {};
    EXPECT_THAT(std::span<double>(copy), ElementsAre(1, 2, 3));
    EXPECT_EQ(other.value().x, 3);
    EXPECT_EQ(other.value().y, 4);
}

// ---- making ------------------------------------------------------------------------------------

TEST(RawArrays, are_made_of_any_range_and_any_pair_of_iterators) {
    const std::list<short> list{1, 2, 3};
    std::istringstream words("4 5 6");
    EXPECT_THAT(std::span<int>(mp::RawArray<int>(list).copy().begin(), 3), ElementsAre(1, 2, 3));
    const mp::RawArray<double> from_iterators(list.begin(), list.end());
    EXPECT_THAT(std::span<double>(from_iterators), ElementsAre(1, 2, 3));
    const mp::RawArray<int> read_once(std::istream_iterator<int>{words}, std::istream_iterator<int>{});
    EXPECT_THAT(std::span<int>(read_once), ElementsAre(4, 5, 6));
    const mp::RawArray<long> of_another(read_once);
    EXPECT_THAT(std::span<long>(of_another), ElementsAre(4, 5, 6));
    const mp::RawArray<int> one{5};
    EXPECT_THAT(std::span<int>(one), ElementsAre(5));
    EXPECT_TRUE(mp::RawArray<int>().empty());
    EXPECT_TRUE(mp::RawArray<int>(std::vector<int>()).empty());
}

TEST(RawValues, begin_as_a_value_of_the_type_does) {
    EXPECT_EQ(mp::RawValue<int>().value(), 0);
    EXPECT_EQ(mp::RawValue<Point>().value().x, 1);
    EXPECT_EQ(mt::RawValue<Point>().value().y, 2);
    EXPECT_EQ(mp::RawArray<Point>(2)[1].x, 0) << "as Python's arrays: zeroed";
}

struct alignas(64) Aligned {
    char bytes[64];
};

TEST(RawValues, lie_as_their_type_asks) {
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(mp::RawArray<Aligned>(3).data()) % 64, 0U);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(mp::RawArray<Aligned>(300).data()) % 64, 0U);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(mt::RawArray<Aligned>(3).data()) % 64, 0U);
        EXPECT_EQ(
            reinterpret_cast<std::uintptr_t>(&mp::RawValue<long double>().value()) % alignof(long double),
            0U);
    }
}

TEST(RawArrays, an_index_too_large_is_an_error_of_at) {
    const mp::RawArray<int> array{1, 2, 3};
    EXPECT_EQ(array.at(2), 3);
    EXPECT_THAT(message_of<chorus::UsageError>([&] { array.at(3); }),
                AllOf(HasSubstr("index 3"), HasSubstr("3 elements")));
    EXPECT_THROW(array.at(static_cast<std::size_t>(-1)), chorus::UsageError);
    EXPECT_THROW(mt::RawArray<int>(2).at(2), chorus::UsageError);
}

template <class Array>
void expect_refused_with_numbers() {
    // More than machines have, less than the address space.
    const std::string message = message_of<chorus::OsError>([] { Array(std::size_t{1} << 40); });
    EXPECT_THAT(message,
                AllOf(HasSubstr("8796093022"), testing::ContainsRegex("[0-9]+ bytes are available")));
    try {
        Array(std::size_t{1} << 40);
    } catch (const chorus::OsError& error) {
        EXPECT_EQ(error.code(), ENOMEM);
    }
    EXPECT_THROW(Array(std::size_t{1} << 58), chorus::OsError);
    // More than an address can tell; in bytes that would even be few.
    EXPECT_THAT(message_of<chorus::UsageError>([] { Array((std::size_t{1} << 61) + 1); }),
                HasSubstr("2305843009213693953 elements of 8 bytes"));
    EXPECT_THROW(Array(static_cast<std::size_t>(-1)), chorus::UsageError);
}

TEST(RawArrays, beyond_memory_is_an_error_with_the_numbers) {
    const std::size_t before = count_memory();
    expect_refused_with_numbers<mp::RawArray<double>>();
    expect_refused_with_numbers<mt::RawArray<double>>();
    EXPECT_EQ(count_memory(), before);
}

TEST(RawValues, ten_thousand_made_and_dropped_leave_nothing_open) {
    { const mp::RawValue<int> first(0); }  // the library opens where small ones go
    const std::size_t before = count_memory();
    for (int i = 0; i < 10'000; ++i) {
        const mp::RawValue<int> value(i);
        ASSERT_EQ(value.value(), i);
    }
    EXPECT_LE(count_memory(), before);
    std::vector<mp::RawValue<int>> many;
    for (int i = 0; i < 10'000; ++i) many.emplace_back(i);
    EXPECT_LE(count_memory(), before + 30) << "small ones share descriptors";
    for (int i = 0; i < 10'000; ++i) ASSERT_EQ(many[static_cast<std::size_t>(i)].value(), i);
    many.clear();
    EXPECT_LE(count_memory(), before);
}

// ---- between processes ---------------------------------------------------------------------------

constexpr std::size_t gibibyte = std::size_t{1} << 30;

void write_ends(mp::RawArray<unsigned char> bytes) {
    if (bytes.size() != gibibyte) std::_Exit(3);
    bytes[0] = 1;
    bytes[gibibyte - 1] = 2;
}

std::size_t make_large() {
    mp::RawArray<unsigned char> bytes(gibibyte);
    write_ends(bytes);
    return bytes.size();
}

TEST_P(RawArray, of_a_gibibyte_reaches_a_child_and_is_made_by_one) {
    mp::RawArray<unsigned char> bytes(gibibyte);
    run_in_child(write_ends, bytes);
    EXPECT_EQ(bytes[0], 1);
    EXPECT_EQ(bytes[gibibyte / 2], 0);
    EXPECT_EQ(bytes[gibibyte - 1], 2);
    bytes = mp::RawArray<unsigned char>();
    EXPECT_EQ(mp::run(make_large), gibibyte);
}

void hand_on(mp::RawArray<int> numbers, int generations) {
    ++numbers[static_cast<std::size_t>(generations)];
    if (generations == 0) return;
    mp::Process process(hand_on, numbers, generations - 1);
    process.start();
    process.join();
    numbers[3] = process.exitcode() == 0 ? numbers[3] + 1 : -100;
}

TEST_P(RawArray, is_handed_to_grandchildren) {
    for (const std::size_t size : {std::size_t{4}, std::size_t{100'000}}) {
        mp::RawArray<int> numbers(size);
        mp::Process process(hand_on, numbers, 2);
        process.start();
        process.join();
        EXPECT_EQ(process.exitcode(), 0);
        EXPECT_THAT(std::span<int>(numbers).first(4), ElementsAre(1, 1, 1, 2));
    }
}

struct Job {
    std::string name;
    mp::RawArray<double> weights;
    std::vector<mp::RawValue<int>> cells;
};

void do_job(const Job& job) {
    job.weights[1] = static_cast<double>(job.name.size());
    for (const auto& cell : job.cells) ++cell.value();
}

TEST_P(RawArray, travels_inside_structs_and_containers) {
    const mp::RawValue<int> cell(5);
    const Job job{"four", mp::RawArray<double>(3), {cell, cell, mp::RawValue<int>(7)}};
    mp::Process process(do_job, job);
    process.start();
    process.join();
    EXPECT_EQ(process.exitcode(), 0);
    EXPECT_EQ(job.weights[1], 4);
    EXPECT_EQ(cell.value(), 7) << "two handles of one value arrive as two handles of one value";
    EXPECT_EQ(job.cells[2].value(), 8);
}

void write_and_die(mp::RawArray<int> numbers) {
    numbers[1] = 5;
    std::raise(SIGKILL);
}

TEST_P(RawArray, outlives_a_child_that_was_killed) {
    mp::RawArray<int> numbers(100'000);
    mp::Process process(write_and_die, numbers);
    process.start();
    process.join();
    EXPECT_EQ(process.exitcode(), -SIGKILL);
    EXPECT_EQ(numbers[1], 5);
}

TEST(RawValues, stay_shared_in_a_copy_made_by_fork) {
    mp::RawValue<int> small(1);
    mp::RawArray<int> large(100'000);
    mt::RawValue<int> of_this_process(1);
    mp::RawArray<int> answers(2);
    const int pid = ::fork();
    if (pid == 0) {
        small.value() = 2;
        large[99'999] = 3;
        of_this_process.value() = 4;
        // What the copy makes lies elsewhere than what its maker makes from now on.
        std::vector<mp::RawValue<int>> mine;
        for (int i = 0; i < 100; ++i) mine.emplace_back(7);
        ++answers[0];
        while (std::atomic_ref(answers[0]).load() != 2) std::this_thread::yield();
        for (const auto& each : mine) answers[1] += each.value();
        ::_exit(0);
    }
    while (std::atomic_ref(answers[0]).load() != 1) std::this_thread::yield();
    std::vector<mp::RawValue<int>> others;
    for (int i = 0; i < 100; ++i) others.emplace_back(9);
    std::atomic_ref(answers[0]).store(2);
    int status = -1;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(answers[1], 700);
    for (const auto& each : others) ASSERT_EQ(each.value(), 9);
    EXPECT_EQ(small.value(), 2);
    EXPECT_EQ(large[99'999], 3);
    EXPECT_EQ(of_this_process.value(), 1) << "memory of one process is the copy's own";
}

TEST(RawValues, another_type_is_told_from_what_lies_there) {
    const mp::RawValue<int> number(7);
    const mp::RawArray<int> numbers{1, 2, 3};
    EXPECT_EQ(&there_and_back(number).value(), &number.value());
    EXPECT_EQ(there_and_back(numbers).size(), 3U);
    EXPECT_THAT(message_of<chorus::TypeMismatch>([&] { read_as<mp::RawValue<float>>(number); }),
                AllOf(HasSubstr("value of float"), HasSubstr("another type")));
    EXPECT_THAT(message_of<chorus::TypeMismatch>([&] { read_as<mp::RawValue<double>>(number); }),
                AllOf(HasSubstr("double, 8 bytes"), HasSubstr("1 elements of 4 bytes")));
    EXPECT_THAT(message_of<chorus::TypeMismatch>([&] { read_as<mp::RawArray<int>>(number); }),
                HasSubstr("an array of int"));
    EXPECT_THAT(message_of<chorus::TypeMismatch>([&] { read_as<mp::RawValue<int>>(numbers); }),
                HasSubstr("an array: 3 elements"));
}

TEST(RawValues, a_length_that_cannot_be_is_not_believed) {
    for (const std::size_t size : {std::size_t{3}, std::size_t{100'000}}) {
        const mp::RawArray<int> numbers(size);
        auto* const words =
            reinterpret_cast<std::uint64_t*>(chorus::detail::Access::cells(numbers).header().get());
        ASSERT_EQ(words[1], size);
        for (const std::uint64_t count :
             {std::uint64_t{1} << 20, std::uint64_t{1} << 62, ~std::uint64_t{0}}) {
            words[1] = count;
            EXPECT_THAT(message_of<chorus::DecodeError>([&] { there_and_back(numbers); }),
                        HasSubstr(std::to_string(count)));
        }
    }
}

}  // namespace
