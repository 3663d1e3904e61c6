// Future: what it answers in each of its states, and what waits while they change. The names are
// those of CPython's tests.
#include <atomic>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include <support/futures_by_hand.hpp>
#include <support/message_of.hpp>
#include <support/start_methods.hpp>
#include <support/until_asleep.hpp>

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::MatchesRegex;

namespace {

// How often a callback ran that was added when the future was done already; what it threw is in `report`.
int calls_of_a_throwing_callback(const chorus::Future<int>& done, std::string& report) {
    int calls = 0;
    testing::internal::CaptureStderr();
    done.add_done_callback([&](const chorus::Future<int>&) {
        ++calls;
        throw std::domain_error("the callback's own");
    });
    report = testing::internal::GetCapturedStderr();
    return calls;
}

// Waits for the future in another thread, ends it when that thread sleeps, and returns what the thread saw.
std::string seen_by_a_waiter(const std::function<void(const chorus::Future<int>&)>& wait,
                             const std::function<void(StateByHand&)>& end) {
    const auto state = pending_state();
    std::string seen;
    mt::Thread waiter([&] {
        try {
            wait(chorus::detail::Access::make<chorus::Future<int>>(state));
            seen = "woken";
        } catch (const std::exception& error) {
            seen = error.what();
        }
    });
    waiter.start();
    until_asleep(waiter);
    end(*state);
    waiter.join();
    return seen;
}

TEST(Future, test_done_callback_already_failed) {
    std::string report;
    EXPECT_EQ(calls_of_a_throwing_callback(failed_future(), report), 1);
    EXPECT_THAT(report, HasSubstr("the callback's own"));
    bool saw_the_error = false;
    failed_future().add_done_callback(
        [&](const chorus::Future<int>& done) { saw_the_error = done.exception(chorus::now) != nullptr; });
    EXPECT_TRUE(saw_the_error);
}

TEST(Future, test_done_callback_already_cancelled) {
    std::string report;
    EXPECT_EQ(calls_of_a_throwing_callback(cancelled_future(), report), 1);
    EXPECT_THAT(report, HasSubstr("the callback's own"));
    bool saw_it_cancelled = false;
    cancelled_future().add_done_callback(
        [&](const chorus::Future<int>& done) { saw_it_cancelled = done.cancelled(); });
    EXPECT_TRUE(saw_it_cancelled);
}

TEST(Future, test_repr) {
    EXPECT_THAT(text_of(pending_future()), MatchesRegex("<Future at 0x[0-9a-f]+ state=pending>"));
    EXPECT_THAT(text_of(running_future()), MatchesRegex("<Future at 0x[0-9a-f]+ state=running>"));
    EXPECT_THAT(text_of(cancelled_future()), MatchesRegex("<Future at 0x[0-9a-f]+ state=cancelled>"));
    EXPECT_THAT(text_of(failed_future()),
                MatchesRegex("<Future at 0x[0-9a-f]+ state=finished raised std::runtime_error>"));
    EXPECT_THAT(text_of(successful_future()),
                MatchesRegex("<Future at 0x[0-9a-f]+ state=finished returned int>"));
}

TEST(Future, test_cancelled) {
    EXPECT_FALSE(pending_future().cancelled());
    EXPECT_FALSE(running_future().cancelled());
    EXPECT_TRUE(cancelled_future().cancelled());
    EXPECT_FALSE(failed_future().cancelled());
    EXPECT_FALSE(successful_future().cancelled());
}

TEST(Future, test_done) {
    EXPECT_FALSE(pending_future().done());
    EXPECT_FALSE(running_future().done());
    EXPECT_TRUE(cancelled_future().done());
    EXPECT_TRUE(failed_future().done());
    EXPECT_TRUE(successful_future().done());
}

TEST(Future, test_running) {
    EXPECT_FALSE(pending_future().running());
    EXPECT_TRUE(running_future().running());
    EXPECT_FALSE(cancelled_future().running());
    EXPECT_FALSE(failed_future().running());
    EXPECT_FALSE(successful_future().running());
}

TEST(Future, test_result_with_timeout) {
    EXPECT_THROW(pending_future().get(chorus::now), chorus::TimedOut);
    EXPECT_THROW(running_future().get(chorus::now), chorus::TimedOut);
    EXPECT_THROW(cancelled_future().get(chorus::now), chorus::Cancelled);
    EXPECT_THROW(failed_future().get(chorus::now), std::runtime_error);
    EXPECT_EQ(successful_future().get(chorus::now), 42);
}

TEST(Future, test_exception_with_timeout) {
    EXPECT_THROW(pending_future().exception(chorus::now), chorus::TimedOut);
    EXPECT_THROW(running_future().exception(chorus::now), chorus::TimedOut);
    EXPECT_THROW(cancelled_future().exception(chorus::now), chorus::Cancelled);
    EXPECT_NE(failed_future().exception(chorus::now), nullptr);
    EXPECT_EQ(successful_future().exception(chorus::now), nullptr);
}

TEST(Future, test_result_with_success) {
    int value = 0;
    EXPECT_EQ(seen_by_a_waiter([&](const auto& future) { value = future.get(20s); },
                               [](auto& state) { state.set_value(7); }),
              "woken");
    EXPECT_EQ(value, 7);
}

TEST(Future, test_result_with_cancel) {
    const auto seen = seen_by_a_waiter(
        [](const auto& future) {
            try {
                future.get(20s);
            } catch (const chorus::Cancelled&) {
                return;
            }
            throw std::runtime_error("it was not cancelled");
        },
        [](auto& state) { state.cancel(); });
    EXPECT_EQ(seen, "woken");
}

TEST(Future, test_exception_with_success) {
    std::exception_ptr error;
    const auto seen = seen_by_a_waiter(
        [&](const auto& future) { error = future.exception(20s); },
        [](auto& state) { state.set_error(std::make_exception_ptr(std::range_error("the work's own"))); });
    EXPECT_EQ(seen, "woken");
    EXPECT_THROW(std::rethrow_exception(error), std::range_error);
}

// There is no snapshot to ask for: a thread that has seen it done finds value and error in place,
// however soon.
TEST(Future, test_get_snapshot) {
    std::vector<chorus::Future<int>> futures;
    for (int i = 0; i < 2000; ++i) futures.push_back(pending_future());
    std::atomic<int> right{0};
    const auto read = [&] {
        for (int i = 0; i < 2000; ++i) {
            const auto& future = futures[static_cast<std::size_t>(i)];
            while (!future.done()) std::this_thread::yield();
            const bool has_error = future.exception(chorus::now) != nullptr;
            const bool fits = has_error == (i % 2 == 1) && !future.running() && !future.cancelled() &&
                              (has_error || future.get(chorus::now) == i);
            right += fits ? 1 : 0;
        }
    };
    mt::Thread one(read);
    mt::Thread other(read);
    one.start();
    other.start();
    for (int i = 0; i < 2000; ++i) {
        auto& state = *chorus::detail::Access::state(futures[static_cast<std::size_t>(i)]);
        state.set_running();
        if (i % 2 == 1) {
            state.set_error(std::make_exception_ptr(std::runtime_error("odd")));
        } else {
            state.set_value(i);
        }
    }
    one.join();
    other.join();
    EXPECT_EQ(right, 4000);
}

}  // namespace
