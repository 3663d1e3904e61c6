// Future: a result that arrives later, and what can be asked of it before.
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <future>
#include <latch>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

#include <support/start_methods.hpp>
#include <worker/scratch.hpp>

using namespace std::chrono_literals;
using testing::HasSubstr;

namespace {

template <class T>
using State = chorus::detail::worker::TypedFutureState<T>;

std::runtime_error broken() { return std::runtime_error("broken on purpose"); }

TEST(Future, gives_its_value_again_and_again) {
    const auto state = std::make_shared<State<std::string>>();
    const auto future = chorus::detail::Access::make<chorus::Future<std::string>>(state);
    EXPECT_FALSE(future.done());
    EXPECT_TRUE(state->set_value("here"));
    EXPECT_TRUE(future.done());
    EXPECT_EQ(future.get(), "here");
    EXPECT_EQ(future.get(chorus::now), "here");
    EXPECT_EQ(future.exception(), nullptr);
    const chorus::Future<std::string> copy = future;
    EXPECT_EQ(copy.get(), "here");
}

TEST(Future, of_nothing_and_of_what_can_only_be_moved) {
    const auto nothing = std::make_shared<State<void>>();
    nothing->set_value({});
    chorus::detail::Access::make<chorus::Future<void>>(nothing).get();

    const auto pointer = std::make_shared<State<std::unique_ptr<int>>>();
    pointer->set_value(std::make_unique<int>(5));
    const auto future = chorus::detail::Access::make<chorus::Future<std::unique_ptr<int>>>(pointer);
    EXPECT_EQ(*future.get(), 5);
    EXPECT_THROW(future.get(), chorus::UsageError) << "it was taken";
    EXPECT_THROW(chorus::detail::Access::make<chorus::Future<std::unique_ptr<int>>>(pointer).get(),
                 chorus::UsageError);
}

TEST(Future, throws_the_exception_again_and_again) {
    const auto state = std::make_shared<State<int>>();
    const auto future = chorus::detail::Access::make<chorus::Future<int>>(state);
    EXPECT_TRUE(state->set_error(std::make_exception_ptr(broken())));
    EXPECT_TRUE(future.done());
    EXPECT_FALSE(future.cancelled());
    EXPECT_THROW(future.get(), std::runtime_error);
    EXPECT_THROW(future.get(), std::runtime_error);
    EXPECT_THROW(std::rethrow_exception(future.exception()), std::runtime_error);
}

TEST(Future, ends_once) {
    const auto state = std::make_shared<State<int>>();
    EXPECT_TRUE(state->set_value(1));
    EXPECT_FALSE(state->set_value(2));
    EXPECT_FALSE(state->set_error(std::make_exception_ptr(broken())));
    EXPECT_FALSE(state->cancel());
    EXPECT_EQ(chorus::detail::Access::make<chorus::Future<int>>(state).get(), 1);
}

TEST(Future, timed_get_throws_and_may_be_repeated) {
    const auto state = std::make_shared<State<int>>();
    const auto future = chorus::detail::Access::make<chorus::Future<int>>(state);
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_THROW(future.get(50ms), chorus::TimedOut);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 50ms);
    EXPECT_THROW(future.get(chorus::now), chorus::TimedOut);
    EXPECT_THROW(future.get(-1s), chorus::TimedOut);
    EXPECT_THROW(future.exception(chorus::now), chorus::TimedOut);
    EXPECT_FALSE(future.done());
    state->set_value(3);
    EXPECT_EQ(future.get(50ms), 3);
}

TEST(Future, cancel_before_it_runs) {
    const auto state = std::make_shared<State<int>>();
    const auto future = chorus::detail::Access::make<chorus::Future<int>>(state);
    EXPECT_TRUE(future.cancel());
    EXPECT_TRUE(future.cancel()) << "as in Python, the second one is content";
    EXPECT_TRUE(future.cancelled());
    EXPECT_TRUE(future.done());
    EXPECT_FALSE(future.running());
    EXPECT_THROW(future.get(), chorus::Cancelled);
    EXPECT_THROW(future.exception(), chorus::Cancelled);
    EXPECT_FALSE(state->set_value(1)) << "the result comes too late";
}

TEST(Future, what_runs_and_has_no_way_to_be_stopped_goes_on) {
    const auto state = std::make_shared<State<int>>();
    const auto future = chorus::detail::Access::make<chorus::Future<int>>(state);
    state->set_running();
    EXPECT_TRUE(future.running());
    EXPECT_FALSE(future.cancel());
    EXPECT_FALSE(future.cancelled());
    state->set_value(1);
    EXPECT_FALSE(future.running());
    EXPECT_EQ(future.get(), 1);
}

// What stopping the work brings about must not pass for its result, however quick it is.
TEST(Future, is_cancelled_though_the_work_ends_while_it_is_stopped) {
    const auto state = std::make_shared<State<int>>();
    const auto future = chorus::detail::Access::make<chorus::Future<int>>(state);
    std::vector<std::string> calls;
    future.add_done_callback([&](const chorus::Future<int>&) { calls.push_back("told"); });
    state->set_running();
    state->set_stopper([&] {
        calls.push_back("stopped");
        EXPECT_FALSE(state->set_error(std::make_exception_ptr(broken())));
    });
    EXPECT_TRUE(future.cancel());
    EXPECT_TRUE(future.cancelled());
    EXPECT_THROW(future.get(), chorus::Cancelled);
    EXPECT_EQ(calls, (std::vector<std::string>{"stopped", "told"}));
}

TEST(Future, a_stopper_that_throws_is_reported_and_the_future_is_cancelled) {
    const auto state = std::make_shared<State<int>>();
    const auto future = chorus::detail::Access::make<chorus::Future<int>>(state);
    state->set_running();
    state->set_stopper([] { throw broken(); });
    testing::internal::CaptureStderr();
    EXPECT_TRUE(future.cancel());
    EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("std::runtime_error: broken on purpose"));
    EXPECT_TRUE(future.cancelled());
}

TEST(Future, wakes_all_who_wait) {
    const auto state = std::make_shared<State<int>>();
    const auto future = chorus::detail::Access::make<chorus::Future<int>>(state);
    std::atomic<int> sum{0};
    std::latch waiting(4);
    std::vector<mt::Thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            waiting.count_down();
            sum += future.get();
        });
        threads.back().start();
    }
    waiting.wait();
    state->set_value(5);
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(sum, 20);
}

TEST(Future, callbacks_run_in_order_once_it_is_done) {
    const auto state = std::make_shared<State<int>>();
    const auto future = chorus::detail::Access::make<chorus::Future<int>>(state);
    std::vector<std::string> calls;
    future.add_done_callback(
        [&](const chorus::Future<int>& done) { calls.push_back("first " + std::to_string(done.get())); });
    future.add_done_callback([&](const chorus::Future<int>&) { calls.push_back("second"); });
    EXPECT_TRUE(calls.empty());
    state->set_value(5);
    EXPECT_EQ(calls, (std::vector<std::string>{"first 5", "second"}));
    future.add_done_callback([&](const chorus::Future<int>&) { calls.push_back("at once"); });
    EXPECT_EQ(calls.back(), "at once");
}

TEST(Future, callbacks_run_for_exceptions_and_for_cancel) {
    const auto failed = std::make_shared<State<int>>();
    const auto cancelled = std::make_shared<State<int>>();
    int calls = 0;
    chorus::detail::Access::make<chorus::Future<int>>(failed).add_done_callback(
        [&](const chorus::Future<int>& done) { calls += done.exception() ? 1 : 100; });
    chorus::detail::Access::make<chorus::Future<int>>(cancelled).add_done_callback(
        [&](const chorus::Future<int>& done) { calls += done.cancelled() ? 10 : 100; });
    failed->set_error(std::make_exception_ptr(broken()));
    cancelled->cancel();
    EXPECT_EQ(calls, 11);
}

TEST(Future, a_callback_that_throws_is_reported_and_the_others_run) {
    const auto state = std::make_shared<State<int>>();
    const auto future = chorus::detail::Access::make<chorus::Future<int>>(state);
    bool was_called = false;
    future.add_done_callback([](const chorus::Future<int>&) { throw broken(); });
    future.add_done_callback([](const chorus::Future<int>&) { throw 7; });
    future.add_done_callback([&](const chorus::Future<int>&) { was_called = true; });
    testing::internal::CaptureStderr();
    state->set_value(1);
    const std::string report = testing::internal::GetCapturedStderr();
    EXPECT_TRUE(was_called);
    EXPECT_THAT(report, HasSubstr("broken on purpose"));
    EXPECT_THAT(report, HasSubstr("7"));
    EXPECT_EQ(future.get(), 1);
}

TEST(Future, callbacks_and_their_results_are_let_go) {
    auto state = std::make_shared<State<int>>();
    const std::weak_ptr<State<int>> watched = state;
    chorus::detail::Access::make<chorus::Future<int>>(state).add_done_callback(
        [](const chorus::Future<int>&) {});
    state->set_value(1);
    state.reset();
    EXPECT_TRUE(watched.expired()) << "the callback kept the result alive";
}

// ---- with a process behind it -----------------------------------------------------------------

class FutureOfProcess : public EachStartMethod {};
FOR_EACH_START_METHOD(FutureOfProcess);

int wait_for_ever() {
    for (;;) ::pause();
}
int add(int a, int b) { return a + b; }
void nothing() {}
int fail() { throw std::out_of_range("index 5"); }

// The thread that looks after the children learns of their end by itself, shortly after they are gone.
void wait_until_nothing_is_left() {
    const auto holds_a_report = [] {
        for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
            std::error_code gone;
            if (std::filesystem::read_symlink(entry.path(), gone).string().find("chorus-report") !=
                std::string::npos)
                return true;
        }
        return false;
    };
    for (auto& child : mp::active_children()) child.join();
    const auto limit = std::chrono::steady_clock::now() + 20s;
    while (holds_a_report() && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
}

TEST_P(FutureOfProcess, brings_value_and_exception) {
    EXPECT_EQ(mp::async(add, 2, 3).get(), 5);
    mp::async(nothing).get();
    const auto failing = mp::async(fail);
    EXPECT_THROW(failing.get(), std::out_of_range);
    EXPECT_THROW(std::rethrow_exception(failing.exception()), std::out_of_range);
}

TEST_P(FutureOfProcess, timed_get_leaves_the_work_alone_and_cancel_ends_it) {
    const auto future = mp::async(wait_for_ever);
    EXPECT_THROW(future.get(20ms), chorus::TimedOut);
    EXPECT_TRUE(future.running());
    EXPECT_FALSE(future.done());
    EXPECT_TRUE(future.cancel());
    EXPECT_TRUE(future.cancelled());
    EXPECT_THROW(future.get(), chorus::Cancelled);
    wait_until_nothing_is_left();
}

// Neither the thread that learns of the death nor the one that cancels may win over the other half-way.
TEST_P(FutureOfProcess, cancel_and_get_agree_however_quick_the_child_dies) {
    for (int i = 0; i < 50; ++i) {
        const auto future = mp::async(wait_for_ever);
        ASSERT_TRUE(future.cancel());
        ASSERT_THROW(future.get(), chorus::Cancelled);
    }
    wait_until_nothing_is_left();
}

// One descriptor more at each step, beginning with the library's own thread: what async opens first
// succeeds before the limit is met.
TEST_P(FutureOfProcess, no_descriptors_left_means_that_it_has_not_run) {
    const Scratch scratch;
    struct rlimit limit {};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    int refused = 0;
    bool done = false;
    for (rlim_t most = 4; !done; ++most) {
        struct rlimit few = limit;
        few.rlim_cur = most;
        const std::string name = "ran with " + std::to_string(most);
        ::setrlimit(RLIMIT_NOFILE, &few);
        std::optional<chorus::Future<void>> future;
        try {
            future = mp::async(tell, scratch.path(name), name);
        } catch (const chorus::Error&) {
        }
        ::setrlimit(RLIMIT_NOFILE, &limit);
        if (future) {
            done = [&] {
                try {
                    future->get();
                } catch (const std::exception&) {  // the child has as few descriptors
                    return false;
                }
                return true;
            }();
        } else {
            ++refused;
            EXPECT_TRUE(mp::active_children().empty());
            EXPECT_EQ(scratch.text(name), "");
        }
        ASSERT_LT(most, 200U);
    }
    EXPECT_GT(refused, 3);
    wait_until_nothing_is_left();
}

TEST_P(FutureOfProcess, a_dropped_future_does_not_stop_the_work) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const auto path = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(ends[1]);
    mp::async(
        [](const std::string& pipe) {
            std::FILE* const file = std::fopen(pipe.c_str(), "w");
            std::fputs("done", file);
            std::fclose(file);
        },
        path);
    char text[5] = {};
    EXPECT_EQ(::read(ends[0], text, 4), 4);
    EXPECT_STREQ(text, "done");
    ::close(ends[0]);
    ::close(ends[1]);
    wait_until_nothing_is_left();
}

TEST_P(FutureOfProcess, many_at_once_each_get_their_own) {
    std::vector<chorus::Future<int>> futures;
    for (int i = 0; i < 20; ++i) futures.push_back(mp::async(add, i, 1000));
    for (int i = 0; i < 20; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].get(), 1000 + i);
}

TEST_P(FutureOfProcess, callback_sees_the_value) {
    const auto future = mp::async(add, 2, 3);
    std::promise<int> seen;
    future.add_done_callback([&](const chorus::Future<int>& done) { seen.set_value(done.get()); });
    EXPECT_EQ(seen.get_future().get(), 5);
}

}  // namespace
