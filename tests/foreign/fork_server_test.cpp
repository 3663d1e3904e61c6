// A fork server that cannot begin says why, at the first start; only one that was killed is tried again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <support/run_program.hpp>

namespace {

using testing::AllOf;
using testing::Each;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

// The program starts two processes, one after the other.
template <class Matcher>
auto both(Matcher line) {
    return AllOf(SizeIs(2), Each(line));
}

ProgramResult begin(const std::string& way) {
    return run_program({"env", "BEGIN=" + way, test_program("begins_badly"), "forkserver"});
}

TEST(ForkServer, that_begins_well_serves) { EXPECT_EQ(begin("well").out, "9\n9\n"); }

TEST(ForkServer, that_leaves_before_main_is_told_of_with_its_exit_code) {
    EXPECT_THAT(begin("exit").lines(),
                both(AllOf(StartsWith("Error the fork server cannot begin: it left with exit code 3"),
                           HasSubstr("before main"))));
}

TEST(ForkServer, that_is_killed_is_tried_again_and_told_of_with_its_signal) {
    EXPECT_THAT(begin("kill").lines(),
                both(AllOf(StartsWith("Error 3 fork servers"), HasSubstr("was killed by SIGKILL"))));
    EXPECT_THAT(begin("abort").lines(),
                both(AllOf(StartsWith("Error 3 fork servers"), HasSubstr("was killed by SIGABRT"))));
}

TEST(ForkServer, that_fails_sends_its_error) {
    const auto result = begin("memory");
    EXPECT_THAT(result.lines(),
                both(AllOf(StartsWith("OsError 12 the fork server cannot begin (it left with exit code 1): "),
                           HasSubstr("map "))));
    EXPECT_EQ(result.err, "");
}

}  // namespace
