// Kernels and sandboxes that refuse system calls: what is newer than Linux 5.4 is done in another way, and
// what the library cannot do without is an error that names it.
#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <support/run_program.hpp>

namespace {

using testing::AnyOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

/// As an older kernel answers (ENOSYS), and as a sandbox does (EPERM).
class RefusedCalls : public testing::TestWithParam<const char*> {
protected:
    static ProgramResult run(const std::string& calls) {
        const std::string code = GetParam() == std::string("ENOSYS") ? "38" : "1";
        return run_program({test_program("refuse_calls"), code, calls, test_program("every_part")});
    }
};

const std::vector<std::string>& lines_where_none_is_refused() {
    static const auto lines = run_program({test_program("every_part")}).lines();
    return lines;
}

TEST_P(RefusedCalls, that_are_newer_than_linux_5_4_are_not_missed) {
    ASSERT_THAT(lines_where_none_is_refused(), SizeIs(21));
    ASSERT_THAT(lines_where_none_is_refused(), Each(Not(AnyOf(HasSubstr("rror"), HasSubstr("exception")))));
    // The last one leaves no list of the open descriptors, and every number is tried.
    for (const std::string calls :
         {"newer", "futex_waitv", "pidfd_send_signal", "close_range", "close_range,getdents64"}) {
        const auto result = run(calls);
        EXPECT_EQ(result.exit_code, 0) << calls << result.err;
        EXPECT_THAT(result.lines(), ElementsAreArray(lines_where_none_is_refused())) << calls;
    }
}

TEST_P(RefusedCalls, that_the_library_cannot_do_without_are_named) {
    for (const std::string call : {"pidfd_open", "waitid", "get_robust_list"}) {
        const auto result = run(call);
        EXPECT_EQ(result.exit_code, 0) << call << result.err;
        EXPECT_THAT(result.lines(), SizeIs(21)) << call;
        EXPECT_THAT(result.lines(), Contains(HasSubstr("OsError: Chorus needs the system call " + call)))
            << call;
        EXPECT_THAT(result.lines(), Contains("threads: 25")) << call;
    }
}

TEST_P(RefusedCalls, of_the_c_library_alone_are_its_errors) {
    for (const std::string call : {"clone3", "set_robust_list"}) {
        const auto result = run(call);
        EXPECT_EQ(result.exit_code, 0) << call << result.err;
        EXPECT_THAT(result.lines(), SizeIs(21)) << call;
        EXPECT_THAT(result.lines(), Each(Not(HasSubstr("not notified")))) << call;
    }
}

INSTANTIATE_TEST_SUITE_P(with, RefusedCalls, testing::Values("ENOSYS", "EPERM"),
                         [](const auto& tested) { return std::string(tested.param); });

}  // namespace
