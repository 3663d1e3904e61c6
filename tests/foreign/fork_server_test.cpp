// A fork server that cannot begin says why, at the first start; only one that was killed is tried again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <support/run_program.hpp>

namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

ProgramResult begin(const std::string& way) {
    return run_program({"env", "BEGIN=" + way, test_program("begins_badly"), "forkserver"});
}

TEST(ForkServer, that_begins_well_serves) { EXPECT_EQ(begin("well").out, "9\n"); }

TEST(ForkServer, that_leaves_before_main_is_told_of_with_its_exit_code) {
    EXPECT_THAT(begin("exit").lines(),
                ElementsAre(AllOf(StartsWith("Error the fork server cannot begin: it left with exit code 3"),
                                  HasSubstr("before main"))));
}

TEST(ForkServer, that_is_killed_is_tried_again_and_told_of_with_its_signal) {
    EXPECT_THAT(begin("kill").lines(),
                ElementsAre(AllOf(StartsWith("Error 3 fork servers"), HasSubstr("was killed by SIGKILL"))));
    EXPECT_THAT(begin("abort").lines(),
                ElementsAre(AllOf(StartsWith("Error 3 fork servers"), HasSubstr("was killed by SIGABRT"))));
}

TEST(ForkServer, that_fails_sends_its_error) {
    const auto result = begin("memory");
    EXPECT_THAT(
        result.lines(),
        ElementsAre(AllOf(StartsWith("OsError 12 the fork server cannot begin (it left with exit code 1): "),
                          HasSubstr("map "))));
    EXPECT_EQ(result.err, "");
}

}  // namespace
