// Threads that a library starts before main, or in a preload: the fork server has them, and its copies would
// not.
#include <string>

#include <support/run_program.hpp>
#include <support/start_methods.hpp>

namespace {

const std::vector<std::string> expected{"run 49 64", "map 1 4 9"};

ProgramResult run_with_debug(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"env", "CHORUS_DEBUG=1"});
    return run_program(arguments);
}

class ServiceThread : public EachStartMethod {};
FOR_EACH_START_METHOD(ServiceThread);

TEST_P(ServiceThread, works_in_every_child) {
    const auto result = run_program({test_program("service_thread"), method()});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.err, "");
    auto lines = expected;
    lines.push_back("method " + method());
    EXPECT_EQ(result.lines(), lines);
}

TEST(ServiceThreadOfPreload, works_in_every_child) {
    const auto result = run_with_debug({test_program("service_thread"), "forkserver", "preload"});
    EXPECT_EQ(result.exit_code, 0);
    auto lines = expected;
    lines.emplace_back("method forkserver");
    EXPECT_EQ(result.lines(), lines);
    EXPECT_THAT(result.err, testing::HasSubstr("children are spawned instead"));
}

TEST(ServiceThreadOfConstructor, is_told_of_once_to_who_asks) {
    const auto told = run_with_debug({test_program("service_thread"), "forkserver"}).err;
    EXPECT_THAT(told, testing::StartsWith("chorus: the fork server has threads"));
    EXPECT_EQ(std::count(told.begin(), told.end(), '\n'), 1) << told;
    EXPECT_EQ(run_with_debug({test_program("service_thread"), "spawn"}).err, "");
    EXPECT_EQ(run_with_debug({test_program("pools")}).err.find("spawned"), std::string::npos);
}

}  // namespace
