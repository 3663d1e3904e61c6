// Deadline: what each way to say "how long" means.
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>
#include <type_traits>

#include <gtest/gtest.h>

#include <chorus/deadline.hpp>

using namespace std::chrono_literals;
using chorus::Deadline;

namespace {

TEST(Deadline, nothing_is_for_ever) {
    constexpr Deadline deadline;
    EXPECT_TRUE(deadline.is_never());
    EXPECT_FALSE(deadline.has_passed());
}

TEST(Deadline, now_has_passed) {
    const Deadline deadline = chorus::now;
    EXPECT_FALSE(deadline.is_never());
    EXPECT_TRUE(deadline.has_passed());
    EXPECT_EQ(deadline.remaining(), 0ns);
}

TEST(Deadline, zero_and_negative_durations_are_now) {
    for (const Deadline deadline :
         {Deadline(0s), Deadline(-1ns), Deadline(-10h), Deadline(std::chrono::nanoseconds::min()),
          Deadline(std::chrono::hours::min()),
          Deadline(std::chrono::duration<double>(-std::numeric_limits<double>::infinity()))}) {
        EXPECT_TRUE(deadline.has_passed());
        EXPECT_EQ(deadline.remaining(), 0ns);
    }
}

TEST(Deadline, a_duration_counts_from_here) {
    const auto before = Deadline::Clock::now();
    const Deadline deadline(1h);
    EXPECT_FALSE(deadline.has_passed());
    EXPECT_GE(deadline.when(), before + 1h);
    EXPECT_LE(deadline.when(), Deadline::Clock::now() + 1h);
    EXPECT_LE(deadline.remaining(), 1h);
    EXPECT_GT(deadline.remaining(), 59min);
    EXPECT_GT(Deadline(std::chrono::duration<double, std::ratio<3600>>(0.5)).remaining(), 29min);
}

TEST(Deadline, what_is_too_long_to_count_is_for_ever) {
    for (const Deadline deadline :
         {Deadline(std::chrono::nanoseconds::max()), Deadline(std::chrono::hours::max()),
          Deadline(std::chrono::years(1000)), Deadline(std::chrono::duration<double>(1e300)),
          Deadline(std::chrono::duration<double>(std::numeric_limits<double>::infinity())),
          Deadline(std::chrono::steady_clock::time_point::max()),
          Deadline(std::chrono::system_clock::time_point::max())}) {
        EXPECT_TRUE(deadline.is_never());
        EXPECT_FALSE(deadline.has_passed());
    }
}

TEST(Deadline, a_point_may_be_of_any_clock) {
    EXPECT_GT(Deadline(std::chrono::steady_clock::now() + 1h).remaining(), 59min);
    EXPECT_GT(Deadline(std::chrono::system_clock::now() + 1h).remaining(), 59min);
    EXPECT_GT(
        Deadline(std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now()) + 1h)
            .remaining(),
        59min);
    EXPECT_TRUE(Deadline(std::chrono::system_clock::now() - 1h).has_passed());
}

TEST(Deadline, a_point_long_past_has_passed) {
    EXPECT_TRUE(Deadline(std::chrono::steady_clock::time_point::min()).has_passed());
    EXPECT_TRUE(Deadline(std::chrono::system_clock::time_point::min()).has_passed());
    EXPECT_TRUE(Deadline(std::chrono::steady_clock::time_point()).has_passed());
}

TEST(Deadline, what_is_no_number_is_refused) {
    EXPECT_THROW(Deadline(std::chrono::duration<double>(std::nan(""))), chorus::UsageError);
    EXPECT_THROW(Deadline(std::chrono::duration<float>(std::nanf(""))), chorus::UsageError);
}

TEST(Deadline, remembers_the_duration_it_was_made_of) {
    EXPECT_EQ(Deadline(5s).duration(), 5s);
    EXPECT_EQ(Deadline(-5s).duration(), -5s);
    EXPECT_EQ(Deadline(chorus::now).duration(), 0s);
    EXPECT_EQ(Deadline().duration(), std::nullopt);
    EXPECT_EQ(Deadline(std::chrono::steady_clock::now() + 1h).duration(), std::nullopt);
}

TEST(Deadline, a_duration_can_be_counted_again) {
    const Deadline duration(1h);
    const Deadline point(std::chrono::steady_clock::now() + 1h);
    const auto later = Deadline::Clock::now();
    EXPECT_GE(duration.restarted().when(), later + 1h);
    EXPECT_EQ(point.restarted().when(), point.when());
    EXPECT_TRUE(Deadline().restarted().is_never());
    EXPECT_TRUE(Deadline(chorus::now).restarted().has_passed());
}

TEST(Deadline, nothing_optional_is_no_limit) {
    EXPECT_TRUE(Deadline(std::nullopt).is_never());
    EXPECT_TRUE(Deadline(std::optional<std::chrono::seconds>()).is_never());
    EXPECT_EQ(Deadline(std::optional(3s)).duration(), 3s);
}

// A number has no unit. That can be asked, and is not an error of the question.
static_assert(!std::is_convertible_v<int, Deadline> && !std::is_constructible_v<Deadline, double>);
static_assert(std::is_convertible_v<std::chrono::seconds, Deadline>);

}  // namespace
