// Timer: a thread that calls a function after a while, unless it is cancelled.
#include <atomic>
#include <chrono>
#include <future>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chorus/chorus.hpp>
#include <support/message_of.hpp>

namespace mt = chorus::threading;
using namespace std::chrono_literals;

namespace {

TEST(Timer, calls_its_function_after_the_interval) {
    std::chrono::steady_clock::time_point called;
    const auto begin = std::chrono::steady_clock::now();
    mt::Timer timer(50ms, [&] { called = std::chrono::steady_clock::now(); });
    timer.start();
    EXPECT_TRUE(timer.join());
    EXPECT_GE(called - begin, 50ms);
}

TEST(Timer, hands_on_arguments_and_keywords) {
    constexpr auto note =
        chorus::named<"out", "first", "second">([](std::string* out, int first, int second) {
            *out = std::to_string(first) + "," + std::to_string(second);
        });
    std::string seen;
    mt::Timer timer(1ms, note, &seen, chorus::kw<"second"> = 2, chorus::kw<"first"> = 1);
    timer.start();
    timer.join();
    EXPECT_EQ(seen, "1,2");
}

TEST(Timer, test_init_immutable_default_args) {
    // Each timer has arguments of its own, whatever another one made of the same did to them.
    std::vector<std::size_t> sizes;
    const auto grow = [&sizes](std::vector<int>& list) {
        list.push_back(0);
        sizes.push_back(list.size());
    };
    const std::vector<int> list;
    mt::Timer first(0s, grow, list);
    mt::Timer second(0s, grow, list);
    first.start();
    first.join();
    second.start();
    second.join();
    EXPECT_EQ(sizes, (std::vector<std::size_t>{1, 1}));
    EXPECT_TRUE(list.empty());
}

TEST(Timer, cancelled_before_the_interval_it_ends_without_a_call) {
    std::atomic<bool> was_called{false};
    mt::Timer timer(1h, [&] { was_called = true; });
    timer.start();
    EXPECT_FALSE(timer.join(20ms));
    timer.cancel();
    EXPECT_TRUE(timer.join());
    EXPECT_FALSE(was_called);
}

TEST(Timer, cancelled_before_the_start_it_never_calls) {
    bool was_called = false;
    mt::Timer timer(0s, [&] { was_called = true; });
    timer.cancel();
    timer.start();
    EXPECT_TRUE(timer.join());
    EXPECT_FALSE(was_called);
}

TEST(Timer, cancel_comes_too_late_once_it_calls) {
    std::promise<void> is_called;
    std::promise<void> may_end;
    bool has_ended = false;
    mt::Timer timer(0s, [&] {
        is_called.set_value();
        may_end.get_future().wait();
        has_ended = true;
    });
    timer.start();
    is_called.get_future().wait();
    timer.cancel();
    timer.cancel();
    may_end.set_value();
    EXPECT_TRUE(timer.join());
    EXPECT_TRUE(has_ended);
    timer.cancel();
}

TEST(Timer, a_function_may_cancel_its_own_timer) {
    std::optional<mt::Timer> timer;
    timer.emplace(0s, [&] { timer->cancel(); });
    timer->start();
    EXPECT_TRUE(timer->join());
}

TEST(Timer, negative_and_endless_intervals) {
    bool was_called = false;
    mt::Timer past(-5s, [&] { was_called = true; });
    past.start();
    EXPECT_TRUE(past.join());
    EXPECT_TRUE(was_called);

    was_called = false;
    mt::Timer never(std::chrono::steady_clock::duration::max(), [&] { was_called = true; });
    never.start();
    EXPECT_FALSE(never.join(20ms));
    never.cancel();
    EXPECT_TRUE(never.join());
    EXPECT_FALSE(was_called);
}

TEST(Timer, takes_any_duration) {
    // Python's Timer(0.5, …).
    EXPECT_TRUE((std::is_constructible_v<mt::Timer, std::chrono::duration<double>, void (*)()>));
    EXPECT_TRUE((std::is_constructible_v<mt::Timer, std::chrono::hours, void (*)()>));
    EXPECT_FALSE((std::is_constructible_v<mt::Timer, int, void (*)()>));
}

TEST(Timer, is_a_thread) {
    mt::Timer timer(1h, [] {});
    EXPECT_FALSE(timer.daemon()) << "a program waits for its timers";
    EXPECT_THAT(text_of(timer), testing::MatchesRegex("<Timer\\(Thread-[0-9]+, initial\\)>"));
    timer.set_name("tea");
    timer.set_daemon(true);
    EXPECT_EQ(text_of(timer), "<Timer(tea, initial daemon)>");
    timer.start();
    EXPECT_THROW(timer.start(), chorus::UsageError);
    EXPECT_EQ(mt::active_count(), 2U);
    mt::Timer copy = timer;
    copy.cancel();
    EXPECT_TRUE(timer.join());
    EXPECT_THAT(text_of(timer), testing::MatchesRegex("<Timer\\(tea, stopped daemon [0-9]+\\)>"));
}

TEST(Timer, what_its_function_throws_goes_to_the_excepthook) {
    std::string told;
    const auto before = mt::set_excepthook([&](const mt::ExceptHookArgs& args) { told = args.exc_type; });
    mt::Timer timer(0s, [] { throw std::out_of_range("late"); });
    timer.start();
    timer.join();
    mt::set_excepthook(before);
    EXPECT_EQ(told, "std::out_of_range");
}

TEST(Timer, lets_go_of_its_arguments_when_it_was_cancelled) {
    auto token = std::make_shared<int>(0);
    const std::weak_ptr<int> watched = token;
    mt::Timer timer(
        1h, [](const std::shared_ptr<int>&) {}, std::move(token));
    timer.start();
    timer.cancel();
    timer.join();
    EXPECT_TRUE(watched.expired());
}

}  // namespace
