// Programs that run under valgrind, which knows fewer system calls than the kernel, and reports what the
// library does wrong with memory.
#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <support/run_program.hpp>

namespace {

using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::SizeIs;

TEST(UnderValgrind, each_part_works_or_says_why_not_and_no_error_is_reported) {
    auto expected = run_program({test_program("every_part")}).lines();
    ASSERT_THAT(expected, SizeIs(21));
    const auto result = run_program({"valgrind", "--error-exitcode=9", test_program("every_part")});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.err, HasSubstr("ERROR SUMMARY: 0 errors"));
    // A valgrind that does not know pidfd_open: no copy of the process can be watched.
    const auto lines = result.lines();
    for (std::size_t i = 0; i < std::min(lines.size(), expected.size()); ++i) {
        if (lines[i].find("exception: ") != std::string::npos) {
            EXPECT_THAT(lines[i], HasSubstr("this valgrind does not know the system call pidfd_open"));
            EXPECT_THAT(lines[i], HasSubstr("choose set_start_method(\"spawn\")"));
            expected[i] = lines[i];
        }
    }
    EXPECT_THAT(lines, ElementsAreArray(expected)) << result.err;
}

}  // namespace
