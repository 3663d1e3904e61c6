// Ctrl-Z and fg: time in which the whole program was stopped is none of a call's timeout.
#include <string>

#include <support/run_program.hpp>
#include <support/start_methods.hpp>

namespace {

using testing::ElementsAre;
using testing::StartsWith;

TEST(Stopped, time_counts_for_no_task_of_a_pool) {
    const auto result = run_program({test_program("stopped"), "pool"});
    EXPECT_THAT(result.lines(), ElementsAre("result 7", "result 7")) << result.err;
}

TEST(Stopped, time_counts_for_no_initializer_of_a_pool) {
    const auto result = run_program({test_program("stopped"), "initializer"});
    EXPECT_THAT(result.lines(), ElementsAre("initializer", "result 7")) << result.err;
}

TEST(Stopped, time_counts_for_no_async) {
    const auto result = run_program({test_program("stopped"), "async"});
    EXPECT_THAT(result.lines(), ElementsAre("result 7")) << result.err;
}

TEST(Stopped, time_counts_for_no_run) {
    const auto result = run_program({test_program("stopped"), "run"});
    EXPECT_THAT(result.lines(), ElementsAre("result 7")) << result.err;
}

TEST(LateAfterAStop, task_is_ended) {
    const auto result = run_program({test_program("stopped"), "pool", "late"});
    EXPECT_THAT(result.lines(),
                ElementsAre(StartsWith("TimedOut task 1 (tell_and_await) took longer than"), "result 7"))
        << result.err;
}

TEST(LateAfterAStop, async_is_ended) {
    const auto result = run_program({test_program("stopped"), "async", "late"});
    EXPECT_THAT(result.lines(), ElementsAre(StartsWith("TimedOut"))) << result.err;
}

TEST(LateAfterAStop, run_is_ended) {
    const auto result = run_program({test_program("stopped"), "run", "late"});
    EXPECT_THAT(result.lines(), ElementsAre(StartsWith("TimedOut"))) << result.err;
}

}  // namespace
