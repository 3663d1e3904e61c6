// Functions of plug-ins in child processes: the right one of several, from wherever the program has gone
// since.
#include <filesystem>

#include <support/run_program.hpp>
#include <support/start_methods.hpp>
#include <worker/scratch.hpp>

namespace {

using testing::AllOf;
using testing::HasSubstr;

class Plugins : public EachStartMethod {
protected:
    // In a directory of its own, where its plug-ins are.
    ProgramResult run(const std::string& what) const {
        for (const std::string name : {"a", "b", "needs_other", "runs"}) {
            const std::string file = "plugin_" + name + ".so";
            std::filesystem::copy_file(std::filesystem::path(test_program("plugins")).parent_path() / file,
                                       scratch_.path(file));
        }
        return run_program({"env", "--chdir=" + scratch_.path(""), test_program("plugins"), method(), what});
    }

private:
    Scratch scratch_;
};
FOR_EACH_START_METHOD(Plugins);

TEST_P(Plugins, with_the_same_names_are_not_mistaken_for_each_other) {
    const auto result = run("local");
    EXPECT_EQ(result.out, "101 101 101\n201 201 201\n") << result.err;
}

TEST_P(Plugins, find_the_names_that_another_shows_to_all) {
    const auto result = run("global");
    EXPECT_EQ(result.out, "101 101 101\n") << result.err;
}

TEST_P(Plugins, loaded_twice_from_two_files_are_two) {
    const auto result = run("copies");
    EXPECT_EQ(result.out, "plugin_a.so copy.so\ncopy.so plugin_a.so\n") << result.err;
}

TEST_P(Plugins, may_start_processes_themselves) {
    const auto result = run("runs");
    EXPECT_EQ(result.out, "49\n") << result.err;
}

TEST_P(Plugins, are_found_where_their_file_was_moved) {
    const auto result = run("moved");
    EXPECT_EQ(result.out, "101 101 101\n201 201 201\n") << result.err;
}

TEST_P(Plugins, that_only_a_child_has_loaded_are_in_its_stacks) {
    const auto result = run("refuses");
    EXPECT_THAT(result.out, AllOf(HasSubstr("Refused\n#0 refuse at "), HasSubstr("plugin.cpp:")))
        << result.err;
}

TEST_P(Plugins, that_cannot_be_loaded_are_an_error_that_says_why) {
    const auto result = run("gone");
    if (method() == "fork") {  // whose child has it already
        EXPECT_EQ(result.out, "101 101 101\n201 201 201\n");
        return;
    }
    EXPECT_THAT(result.out, AllOf(HasSubstr("101 101 101\n"), HasSubstr("/plugin_b.so"),
                                  HasSubstr("No such file or directory")));
    EXPECT_EQ(result.out.find("replaced"), std::string::npos) << result.out;
}

}  // namespace
