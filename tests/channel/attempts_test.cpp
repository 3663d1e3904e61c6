// try_put and try_get throw nothing on the way: an attempt in a loop costs no unwinding. And queues as
// ranges.
#include <atomic>
#include <iterator>
#include <memory>
#include <ranges>
#include <vector>

#include <dlfcn.h>

#include <gtest/gtest.h>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;

namespace {
std::atomic<int> thrown{0};
}

// In front of the C++ library's own, by its name for the linker: the compiler declares it by itself, in its
// way.
extern "C" {
[[noreturn]] void counted_throw(void* exception, void* type, void (*destroy)(void*)) __asm__("__cxa_throw");
[[noreturn]] void counted_throw(void* exception, void* type, void (*destroy)(void*)) {
    using Throw = void (*)(void*, void*, void (*)(void*));
    static const auto next = reinterpret_cast<Throw>(::dlsym(RTLD_NEXT, "__cxa_throw"));
    ++thrown;
    next(exception, type, destroy);
    __builtin_unreachable();
}
}

namespace {

template <class Queue>
void expect_no_throw() {
    Queue queue(2);
    thrown = 0;
    EXPECT_FALSE(queue.try_get().has_value());
    EXPECT_TRUE(queue.try_put(std::string(100, 'a')));
    EXPECT_TRUE(queue.try_put(std::string(1 << 20, 'b')));
    EXPECT_FALSE(queue.try_put(std::string(1 << 20, 'c')));
    EXPECT_FALSE(queue.try_put("d"));
    EXPECT_EQ(queue.try_get()->size(), 100U);
    EXPECT_EQ(queue.try_get()->size(), std::size_t{1} << 20);
    EXPECT_FALSE(queue.try_get().has_value());
    EXPECT_EQ(thrown, 0);
    EXPECT_THROW(queue.get(chorus::now), chorus::Empty);
    EXPECT_GT(thrown, 0) << "it is counted";
}

TEST(Attempts, throw_nothing_between_processes) { expect_no_throw<mp::Queue<std::string>>(); }
TEST(Attempts, throw_nothing_between_threads) { expect_no_throw<mt::Queue<std::string>>(); }

TEST(Attempts, put_many_throws_nothing_when_its_deadline_passes) {
    mp::Queue<int> queue(3);
    thrown = 0;
    EXPECT_EQ(queue.put_many(std::vector{1, 2, 3, 4, 5}, chorus::now), 3U);
    EXPECT_EQ(thrown, 0);
}

using Iterator = std::ranges::iterator_t<const mt::Queue<std::unique_ptr<int>>>;
static_assert(std::input_iterator<Iterator>);
static_assert(std::sentinel_for<std::default_sentinel_t, Iterator>);
static_assert(std::ranges::input_range<const mp::Queue<int>> && std::ranges::input_range<mt::Queue<int>>);
static_assert(std::ranges::input_range<chorus::Completed<int>>);

TEST(QueueRange, is_a_range_of_the_standard_library) {
    const mp::Queue<int> numbers;
    numbers.put_many(std::vector{1, 2, 3, 4});
    numbers.shutdown();
    std::vector<int> squares;
    for (const int square : std::ranges::subrange(numbers.begin(), numbers.end()) |
                                std::views::transform([](int n) { return n * n; }) | std::views::take(3))
        squares.push_back(square);
    EXPECT_EQ(squares, (std::vector{1, 4, 9}));
}

TEST(QueueRange, has_items_that_can_only_be_moved) {
    const mt::Queue<std::unique_ptr<int>> queue;
    queue.put(std::make_unique<int>(1));
    queue.put(std::make_unique<int>(2));
    queue.shutdown();
    int sum = 0;
    for (auto& item : queue) sum += *item;
    EXPECT_EQ(sum, 3);
}

int square(int n) { return n * n; }

TEST(QueueRange, as_completed_and_imap_are_ranges_too) {
    mt::Pool pool(2);
    auto squares = pool.imap(square, std::vector{1, 2, 3});
    static_assert(std::ranges::input_range<decltype(squares)>);
    int sum = 0;
    for (const int n : std::ranges::subrange(squares.begin(), squares.end())) sum += n;
    EXPECT_EQ(sum, 14);
    std::vector futures{pool.submit(square, 4)};
    auto completed = chorus::as_completed(futures);
    const auto first = std::ranges::find_if(completed.begin(), completed.end(),
                                            [](const auto& future) { return future.get() == 16; });
    EXPECT_NE(first, completed.end());
}

}  // namespace
