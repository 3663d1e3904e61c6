// Programs with rights that their caller lacks (setuid, setgid, file capabilities): an environment and
// descriptors that the caller has prepared choose nothing there.
#include <filesystem>

#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <support/run_program.hpp>
#include <support/start_methods.hpp>
#include <worker/scratch.hpp>

namespace {

using testing::ContainsRegex;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

TEST(Rights, a_setuid_program_takes_no_function_from_its_environment) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can make such a program";
    const Scratch scratch;
    struct statvfs volume {};
    ASSERT_EQ(::statvfs(scratch.path("").c_str(), &volume), 0);
    if ((volume.f_flag & ST_NOSUID) != 0)
        GTEST_SKIP() << "the directory for temporary files is mounted nosuid";
    if (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0)
        GTEST_SKIP() << "no program has rights of another user here (no_new_privs)";
    const std::string copy = scratch.path("rights");
    std::filesystem::copy_file(test_program("rights"), copy);
    ASSERT_EQ(::chmod(copy.c_str(), 04755), 0);
    ASSERT_EQ(::chmod(scratch.path("").c_str(), 0755), 0);
    const auto result = run_program({"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env",
                                     "CHORUS_IMAGE=2 0 0 0 0 0", copy});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.err, "");
    const auto refused = HasSubstr("set_start_method(\"fork\")");
    EXPECT_THAT(result.lines(), ElementsAre(StartsWith("secure"), refused, refused, "fork 7 7"));
}

TEST(Rights, any_other_program_may_use_all_methods) {
    const auto result = run_program({test_program("rights")});
    EXPECT_THAT(result.lines(),
                ElementsAre(StartsWith("as anybody"), "forkserver 7 7", "spawn 7 7", "fork 7 7"));
}

TEST(Rights, a_variable_that_chorus_has_not_written_is_one_line_and_an_exit) {
    for (const std::string value : {"", "nonsense", "2 -1 -1", "2 3 4 x 6 -1", "9 -1 -1 -1 -1 -1",
                                    "-1 0 0 0 0 0", "2 900 901 902 903 904", "0 -1 -1 -1 -1 -1",
                                    "2 0 -1 -1 1 1", "1 0 1 2 2 2", "99999999999999999999 1 1 1 1 1"}) {
        const auto result = run_program({"env", "CHORUS_IMAGE=" + value, test_program("rights")});
        EXPECT_EQ(result.exit_code, 1) << value;
        EXPECT_EQ(result.out, "") << value;
        EXPECT_THAT(result.err, StartsWith("chorus: this process cannot become")) << value;
        EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    }
}

}  // namespace
