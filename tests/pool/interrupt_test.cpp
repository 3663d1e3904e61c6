// What Ctrl-C does to a program that has a pool.
#include <sstream>
#include <string>

#include <csignal>

#include <support/each_way.hpp>
#include <support/run_program.hpp>

using namespace std::chrono_literals;
using testing::IsEmpty;

namespace {

template <class Par>
class InterruptOf : public EachWay<Par> {
protected:
    static ProgramResult run_interrupted(const std::string& which) {
        return run_program({test_program("interrupted"), which, EachWay<Par>::way()});
    }
    static void expect_workers_gone(const std::string& pids) {
        std::istringstream in(pids);
        int count = 0;
        for (int pid = 0; in >> pid; ++count) EXPECT_TRUE(wait_until_gone(pid, 20s));
        EXPECT_EQ(count, Par::are_processes ? 2 : 0);
    }
};
EACH_WAY_SUITE(InterruptOf, ThreadsAndProcesses);

EACH_WAY_TEST(InterruptOf, one_line_and_the_end_of_all) {
    const auto result = this->run_interrupted("default");
    EXPECT_EQ(result.exit_code, -SIGINT);
    EXPECT_EQ(result.err, "chorus: interrupted: the workers are ended, what they had not done is lost\n");
    this->expect_workers_gone(result.out);
}

EACH_WAY_TEST(InterruptOf, a_shell_sees_130) {
    const auto result = run_program(
        {"/bin/bash", "-c", "'" + test_program("interrupted") + "' default " + this->way() + "; echo = $?"});
    EXPECT_EQ(result.lines().back(), "= 130");
}

EACH_WAY_TEST(InterruptOf, a_handler_of_the_programs_own_is_left_alone) {
    const auto result = this->run_interrupted("handled");
    EXPECT_EQ(result.exit_code, 3);
    EXPECT_THAT(result.err, IsEmpty());
    this->expect_workers_gone(result.out);
}

EACH_WAY_TEST(InterruptOf, one_that_comes_while_workers_are_started_is_not_for_them) {
    const auto result = this->run_interrupted("early");
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.err, IsEmpty());
}

EACH_WAY_TEST(InterruptOf, sigterm_to_the_group_is_left_to_a_program_that_handles_it) {
    const auto result = this->run_interrupted("drain");
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.err, IsEmpty());
}

}  // namespace
