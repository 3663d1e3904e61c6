// What Ctrl-C does to a program that has a pool.
#include <sstream>
#include <string>

#include <csignal>

#include <support/pool_kinds.hpp>
#include <support/run_program.hpp>

using namespace std::chrono_literals;
using testing::IsEmpty;

namespace {

template <class Kind>
class InterruptOf : public WithEachKind<Kind> {
protected:
    static ProgramResult run_interrupted(const std::string& which) { return run_program({test_program("interrupted"), which, KindNames::GetName<Kind>(0)}); }
    static void expect_workers_gone(const std::string& pids) {
        std::istringstream in(pids);
        int count = 0;
        for (int pid = 0; in >> pid; ++count) EXPECT_TRUE(wait_until_gone(pid, 20s));
        EXPECT_EQ(count, WithEachKind<Kind>::is_process ? 2 : 0);
    }
};
TYPED_TEST_SUITE(InterruptOf, Kinds, KindNames);

TYPED_TEST(InterruptOf, one_line_and_the_end_of_all) {
    const auto result = TestFixture::run_interrupted("default");
    EXPECT_EQ(result.exit_code, -SIGINT);
    EXPECT_EQ(result.err, "chorus: interrupted: the workers are ended, what they had not done is lost\n");
    TestFixture::expect_workers_gone(result.out);
}

TYPED_TEST(InterruptOf, a_shell_sees_130) {
    const auto result = run_program({"/bin/bash", "-c", "'" + test_program("interrupted") + "' default " + KindNames::GetName<TypeParam>(0) + "; echo = $?"});
    EXPECT_EQ(result.lines().back(), "= 130");
}

TYPED_TEST(InterruptOf, a_handler_of_the_programs_own_is_left_alone) {
    const auto result = TestFixture::run_interrupted("handled");
    EXPECT_EQ(result.exit_code, 3);
    EXPECT_THAT(result.err, IsEmpty());
    TestFixture::expect_workers_gone(result.out);
}

TYPED_TEST(InterruptOf, one_that_comes_while_workers_are_started_is_not_for_them) {
    const auto result = TestFixture::run_interrupted("early");
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.err, IsEmpty());
}

}  // namespace
