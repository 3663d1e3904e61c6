// exit() from where it is not expected: a callback, a display of progress, a signal's handler. It ends the
// program, with the code that was given, and nothing of it is left.
#include <csignal>
#include <fstream>
#include <string>
#include <tuple>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <support/run_program.hpp>
#include <support/start_methods.hpp>

extern char** environ;

namespace {

const char* const places[] = {"progress", "callback", "idle",   "get",           "nested",
                              "loop",     "catch",    "thread", "beside_return", "while_main_ends",
                              "handler"};

using PlaceAndKind = std::tuple<const char*, const char*>;

std::string name_of_both(const testing::TestParamInfo<PlaceAndKind>& tested) {
    return std::string(std::get<1>(tested.param)) + "_" + std::get<0>(tested.param);
}

class ExitInside : public testing::TestWithParam<PlaceAndKind> {};
INSTANTIATE_TEST_SUITE_P(by, ExitInside,
                         testing::Combine(testing::ValuesIn(places),
                                          testing::Values("threads", "forkserver", "spawn", "fork")),
                         name_of_both);

TEST_P(ExitInside, ends_with_its_code) {
    const auto [place, kind] = GetParam();
    std::vector<std::string> arguments{test_program("exits_inside"), place};
    if (kind != std::string("threads")) arguments.emplace_back(kind);
    const auto result = run_program(arguments);
    if (place == std::string("handler")) {
        EXPECT_THAT(result.exit_code, testing::AnyOf(3, -SIGTERM)) << result.err;
    } else {
        EXPECT_EQ(result.exit_code, 3) << result.err;
    }
    EXPECT_EQ(result.err, "");
}

TEST(ExitInAsync, ends_with_its_code) {
    for (const std::string place : {"async", "async_idle", "async_while_main_ends"}) {
        EXPECT_EQ(run_program({test_program("exits_inside"), place, "forkserver"}).exit_code, 3) << place;
    }
}

TEST(ExitInHandler, that_hangs_is_ended_by_the_next_signal) {
    std::array<int, 2> said{};
    ASSERT_EQ(::pipe2(said.data(), O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, said[1], 1);
    std::string program = test_program("exits_inside");
    std::string place = "handler_for_ever";
    char* arguments[] = {program.data(), place.data(), nullptr};
    pid_t pid = -1;
    ASSERT_EQ(::posix_spawn(&pid, program.c_str(), &actions, nullptr, arguments, environ), 0);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(said[1]);
    char letter = 0;
    EXPECT_EQ(::read(said[0], &letter, 1), 1);  // it is in the handler, and about to exit
    ::kill(pid, SIGTERM);
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_TRUE(WIFSIGNALED(status)) << status;
    ::close(said[0]);
}

}  // namespace
