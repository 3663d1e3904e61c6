// Waits at the program's end for what only a halted daemon thread could give: an error, and no hang.
#include <string>

#include <support/run_program.hpp>
#include <support/start_methods.hpp>

namespace {

using testing::StartsWith;

class Halted : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(waits, Halted,
                         testing::Values("mt::Lock", "mt::RLock", "mt::Semaphore", "mt::Condition",
                                         "mp::Lock", "mp::RLock", "mp::Semaphore", "mp::Condition",
                                         "mt::Condition.wait", "mp::Condition.wait", "mt::Event", "mp::Event",
                                         "mt::Queue", "mp::Queue", "after a pool"));

TEST_P(Halted, cannot_be_waited_for) {
    const auto result = run_program({test_program("halted_daemons"), GetParam()});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, StartsWith("UsageError: this wait would never end"));
}

TEST(HaltedDaemons, do_not_matter_to_what_can_end) {
    EXPECT_EQ(run_program({test_program("halted_daemons"), "with a deadline"}).out, "returned\n");
    EXPECT_EQ(run_program({test_program("halted_daemons"), "free"}).out, "returned\n");
}

}  // namespace
