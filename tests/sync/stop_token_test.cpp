// StopToken and StopCallback: requests of the standard's sources, and functions that a request calls.
#include <atomic>
#include <chrono>
#include <stop_token>
#include <thread>

#include <gtest/gtest.h>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;
using namespace std::chrono_literals;

namespace {

int waits_for(chorus::StopToken token) { return token.wait(30s) ? 1 : 0; }

TEST(StopToken, passes_on_the_requests_of_a_standard_source) {
    std::stop_source source;
    const chorus::StopToken token = source.get_token();
    EXPECT_FALSE(token.stop_requested());
    const auto there = mp::async(waits_for, token);
    std::jthread here([&] { EXPECT_TRUE(token.wait(30s)); });
    source.request_stop();
    EXPECT_TRUE(token.stop_requested());
    EXPECT_EQ(there.get(), 1);
    EXPECT_TRUE(chorus::StopToken(source.get_token()).stop_requested()) << "it was requested before";
}

TEST(StopToken, of_a_source_that_is_gone_is_never_requested) {
    std::stop_source source;
    const chorus::StopToken token = std::exchange(source, std::stop_source(std::nostopstate)).get_token();
    EXPECT_FALSE(token.wait(chorus::now));
    EXPECT_FALSE(chorus::StopToken(std::stop_token()).wait(chorus::now));
}

TEST(StopCallback, is_called_once_by_a_request) {
    chorus::StopSource source;
    std::atomic<int> calls{0};
    mt::Event called;
    {
        const chorus::StopCallback callback(source.get_token(), [&] {
            ++calls;
            called.set();
        });
        EXPECT_EQ(calls, 0);
        EXPECT_TRUE(source.request_stop());
        EXPECT_TRUE(called.wait(30s));
    }
    EXPECT_FALSE(source.request_stop());
    EXPECT_EQ(calls, 1);
}

TEST(StopCallback, is_called_at_once_if_a_stop_was_requested) {
    chorus::StopSource source;
    source.request_stop();
    const auto here = std::this_thread::get_id();
    bool called = false;
    const chorus::StopCallback callback(source.get_token(),
                                        [&] { called = std::this_thread::get_id() == here; });
    EXPECT_TRUE(called);
}

TEST(StopCallback, is_not_called_after_its_end) {
    chorus::StopSource source;
    std::atomic<bool> called{false};
    for (int i = 0; i < 20; ++i)
        const chorus::StopCallback callback(source.get_token(), [&] { called = true; });
    source.request_stop();
    EXPECT_FALSE(called);
}

TEST(StopCallback, its_end_waits_for_the_call) {
    for (int i = 0; i < 50; ++i) {
        chorus::StopSource source;
        mt::Event begun;
        bool over = false;  // not atomic: the end of the callback orders it
        {
            const chorus::StopCallback callback(source.get_token(), [&] {
                begun.set();
                std::this_thread::yield();
                over = true;
            });
            source.request_stop();
            begun.wait();
        }
        EXPECT_TRUE(over);
    }
}

TEST(StopCallback, may_end_itself) {
    chorus::StopSource source;
    mt::Event over;
    std::optional<chorus::StopCallback> callback;
    mt::Event made;
    callback.emplace(source.get_token(), [&] {
        made.wait();
        callback.reset();
        over.set();
    });
    made.set();
    source.request_stop();
    EXPECT_TRUE(over.wait(30s));
}

void requests(chorus::StopSource source) { source.request_stop(); }

TEST(StopCallback, hears_of_a_request_in_another_process) {
    chorus::StopSource source;
    mt::Event called;
    const chorus::StopCallback callback(source.get_token(), [&] { called.set(); });
    mp::run(requests, source);
    EXPECT_TRUE(called.wait(30s));
}

TEST(StopCallback, of_a_token_that_waits_wakes_no_other_waiter_wrongly) {
    chorus::StopSource source;
    const auto token = source.get_token();
    std::jthread waiter([&] { EXPECT_TRUE(token.wait(30s)); });
    for (int i = 0; i < 20; ++i) const chorus::StopCallback callback(token, [] {});
    EXPECT_FALSE(token.wait(20ms));
    source.request_stop();
}

}  // namespace
