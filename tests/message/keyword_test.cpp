// Keyword arguments: which call a set of them means. What must not compile is in tests/compile_fail.
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chorus/chorus.hpp>

using chorus::kw;
namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;

namespace {

std::string shown(int a, int b, int c) {
    return std::to_string(a) + "," + std::to_string(b) + "," + std::to_string(c);
}
constexpr auto show = chorus::named<"a", "b", "c">(shown);

TEST(Keyword, any_order_means_the_same_call) {
    EXPECT_EQ(show(1, 2, 3), "1,2,3");
    EXPECT_EQ(show(kw<"a"> = 1, kw<"b"> = 2, kw<"c"> = 3), "1,2,3");
    EXPECT_EQ(show(kw<"c"> = 3, kw<"a"> = 1, kw<"b"> = 2), "1,2,3");
    EXPECT_EQ(show(kw<"b"> = 2, kw<"c"> = 3, kw<"a"> = 1), "1,2,3");
    EXPECT_EQ(show(1, kw<"c"> = 3, kw<"b"> = 2), "1,2,3");
    EXPECT_EQ(show(1, 2, kw<"c"> = 3), "1,2,3");
}

TEST(Keyword, values_go_through_as_they_are) {
    constexpr auto take = chorus::named<"owner", "list", "changed">(
        [](std::unique_ptr<int> owner, const std::vector<int>& list, int& changed) {
            changed = *owner + static_cast<int>(list.size());
            return static_cast<const void*>(list.data());
        });
    const std::vector<int> list{1, 2};
    int changed = 0;
    auto owner = std::make_unique<int>(5);
    EXPECT_EQ(take(kw<"changed"> = changed, kw<"list"> = list, kw<"owner"> = std::move(owner)), list.data())
        << "the list was copied";
    EXPECT_EQ(changed, 7);
    EXPECT_EQ(owner, nullptr);
}

TEST(Keyword, a_reference_given_back_stays_one) {
    constexpr auto pick =
        chorus::named<"from", "at">([](std::vector<int>& from, std::size_t at) -> int& { return from[at]; });
    std::vector<int> numbers{1, 2, 3};
    pick(kw<"at"> = std::size_t{1}, kw<"from"> = numbers) = 20;
    EXPECT_EQ(numbers[1], 20);
    static_assert(std::is_same_v<decltype(pick(numbers, std::size_t{0})), int&>);
}

TEST(Keyword, can_be_used_in_constant_expressions) {
    constexpr auto minus =
        chorus::named<"from", "amount">([](int from, int amount) { return from - amount; });
    static_assert(minus(kw<"amount"> = 2, kw<"from"> = 10) == 8);
    static_assert(minus(10, kw<"amount"> = 2) == 8);
}

TEST(Keyword, names_may_be_long_and_alike) {
    constexpr auto f = chorus::named<"n", "nu", "num", "a rather long name with spaces">(
        [](int a, int b, int c, int d) { return 1000 * a + 100 * b + 10 * c + d; });
    EXPECT_EQ(f(kw<"num"> = 3, kw<"a rather long name with spaces"> = 4, kw<"n"> = 1, kw<"nu"> = 2), 1234);
}

TEST(Keyword, of_a_function_without_parameters) {
    constexpr auto nothing = chorus::named<>([] { return 5; });
    EXPECT_EQ(nothing(), 5);
}

TEST(Keyword, functions_with_state_keep_it) {
    const auto add = chorus::named<"n">([offset = 100](int n) { return n + offset; });
    EXPECT_EQ(add(kw<"n"> = 5), 105);
}

// Where a call can be looked at without being made, a wrong one is told by its shape.
template <class... Args>
constexpr bool right = chorus::detail::message::Arrange<std::remove_const_t<decltype(show)>>::right<Args...>;
template <chorus::fixed_string Name>
using Kw = decltype(kw<Name> = 1);

TEST(Keyword, right_calls_are_told_from_wrong_ones) {
    static_assert(right<int, int, int>);
    static_assert(right<Kw<"c">, Kw<"a">, Kw<"b">>);
    static_assert(right<int, Kw<"c">, Kw<"b">>);
    static_assert(!right<int, int>, "missing");
    static_assert(!right<>, "missing");
    static_assert(!right<int, int, int, int>, "too many");
    static_assert(!right<Kw<"a">, Kw<"b">, Kw<"d">>, "unknown");
    static_assert(!right<Kw<"a">, Kw<"b">, Kw<"c">, Kw<"d">>, "unknown");
    static_assert(!right<Kw<"a">, Kw<"b">, Kw<"b">>, "doubled");
    static_assert(!right<Kw<"a">, Kw<"b">, Kw<"c">, Kw<"c">>, "doubled");
    static_assert(!right<int, Kw<"a">, Kw<"b">>, "doubled by a positional one");
    static_assert(!right<int, int, int, Kw<"c">>, "doubled by a positional one");
    static_assert(!right<Kw<"a">, int, int>, "positional behind a keyword");
    static_assert(!right<Kw<"c">, int, int>, "positional behind a keyword");
}

TEST(Keyword, temporaries_live_for_as_long_as_the_worker_needs_them) {
    std::string seen;
    {
        mt::Thread thread(
            chorus::named<"out", "text">([](std::string* out, const std::string& text) { *out = text; }),
            &seen,
            kw<"text"> = std::string("a temporary that is too long to be kept inside the string itself"));
        thread.start();
        thread.join();
    }
    EXPECT_EQ(seen, "a temporary that is too long to be kept inside the string itself");
}

constexpr auto dance =
    chorus::named<"num", "text">([](int num, const std::string& text) { return text + std::to_string(num); });

TEST(Keyword, reach_a_process) {
    EXPECT_EQ(mp::run(dance, kw<"text"> = "dance ", kw<"num"> = 3), "dance 3");
    EXPECT_EQ(mp::run(dance, 3, kw<"text"> = std::string("dance ")), "dance 3");
    EXPECT_EQ(mp::async(show, 1, kw<"c"> = 3, kw<"b"> = 2).get(), "1,2,3");
    mp::Process process(dance, kw<"text"> = "dance ", kw<"num"> = 3);
    process.start();
    process.join();
    EXPECT_EQ(process.exitcode(), 0);
}

}  // namespace
