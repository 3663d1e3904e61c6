// Small limits of the system: what does not fit is an error that names the limit, and no signal ends the
// program.
#include <filesystem>
#include <fstream>

#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <support/run_program.hpp>

namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

const auto killed = StartsWith("crash Error killed by SIGSEGV");

ProgramResult run_limited(const std::string& limit) {
    return run_program({"prlimit", limit, test_program("limits")});
}

TEST(Limits, none) {
    const auto result = run_program({test_program("limits")});
    EXPECT_THAT(result.lines(), ElementsAre("lock true", "queue 1", "run 9", killed, "pool 9",
                                            "array 157286400", "memory 157286400"))
        << result.err;
}

// Of the limit, only what is larger than it meets it.
TEST(Limits, of_file_sizes) {
    const auto named = AllOf(HasSubstr("OsError"), HasSubstr("RLIMIT_FSIZE"));
    const auto result = run_limited("--fsize=8388608");
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.lines(),
                ElementsAre("lock true", "queue 1", "run 9", killed, "pool 9",
                            AllOf(StartsWith("array"), named), AllOf(StartsWith("memory"), named)));
    for (const char* const limit : {"--fsize=262144", "--fsize=102400", "--fsize=4096", "--fsize=0"}) {
        const auto small = run_limited(limit);
        EXPECT_EQ(small.exit_code, 0) << limit << small.err;
        EXPECT_THAT(small.lines(), testing::SizeIs(7)) << limit;
        EXPECT_THAT(small.lines(), testing::IsSupersetOf({AllOf(StartsWith("array"), named),
                                                          AllOf(StartsWith("memory"), named)}))
            << limit;
    }
}

TEST(Limits, of_locked_memory) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can make another user";
    const auto result = run_program({"prlimit", "--memlock=8388608", "setpriv", "--reuid=65534",
                                     "--regid=65534", "--clear-groups", test_program("limits"), "lock"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.lines(), testing::SizeIs(7));
    EXPECT_THAT(result.lines(), Each(AnyOf(HasSubstr("RLIMIT_MEMLOCK"), Not(HasSubstr("Error")))));
}

/// A control group below this process's own, which may have so much memory. Nothing where that cannot be
/// made.
class MemoryGroup {
public:
    explicit MemoryGroup(std::size_t bytes) {
        std::ifstream groups("/proc/self/cgroup");
        for (std::string line; std::getline(groups, line);) {
            const auto found = line.find(":memory:/");
            const bool is_second = line.starts_with("0::/");
            if (found == std::string::npos && !is_second) continue;
            const std::string path = is_second ? "/sys/fs/cgroup" + line.substr(3)
                                               : "/sys/fs/cgroup/memory" + line.substr(line.rfind(':') + 1);
            const std::string directory = path + "/chorus_limits_" + std::to_string(::getpid());
            std::error_code failed;
            if (!std::filesystem::create_directory(directory, failed)) continue;
            std::ofstream limit(directory + (is_second ? "/memory.max" : "/memory.limit_in_bytes"));
            if (limit << bytes << std::flush) {
                directory_ = directory;
                return;
            }
            ::rmdir(directory.c_str());
        }
    }
    ~MemoryGroup() {
        if (!directory_.empty()) ::rmdir(directory_.c_str());
    }
    MemoryGroup(const MemoryGroup&) = delete;
    MemoryGroup& operator=(const MemoryGroup&) = delete;

    const std::string& directory() const { return directory_; }

private:
    std::string directory_;
};

TEST(Limits, of_a_control_group) {
    const MemoryGroup group(std::size_t{100} << 20);
    if (group.directory().empty()) GTEST_SKIP() << "no control group with a limit on memory can be made here";
    const auto result = run_program(
        {"sh", "-c", "echo $$ > " + group.directory() + "/cgroup.procs && exec " + test_program("limits")});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    const auto named = AllOf(HasSubstr("OsError"), HasSubstr("control group " + group.directory()));
    EXPECT_THAT(result.lines(),
                ElementsAre("lock true", "queue 1", "run 9", killed, "pool 9",
                            AllOf(StartsWith("array"), named), AllOf(StartsWith("memory"), named)));
}

bool can_mount() {
    return run_program({"unshare", "--mount", "mount", "-t", "tmpfs", "none", "/dev"}).exit_code == 0;
}

TEST(Limits, no_memory_folder) {
    if (!can_mount()) GTEST_SKIP() << "nothing can be mounted here: that needs root, outside most containers";
    const auto result = run_program(
        {"unshare", "--mount", "sh", "-c", "mount -t tmpfs none /dev && exec " + test_program("limits")});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_THAT(result.lines(),
                ElementsAre("lock true", "queue 1", "run 9", killed, "pool 9", "array 157286400",
                            AllOf(StartsWith("memory OsError"), HasSubstr("/dev/shm"))))
        << result.err;
}

TEST(Limits, no_device_files) {
    if (!can_mount()) GTEST_SKIP() << "nothing can be mounted here: that needs root, outside most containers";
    const auto result =
        run_program({"unshare", "--mount", "sh", "-c",
                     "mount -t tmpfs none /dev && mkdir /dev/shm && exec " + test_program("limits")});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_THAT(result.lines(), ElementsAre("lock true", "queue 1", "run 9", killed, "pool 9",
                                            "array 157286400", "memory 157286400"))
        << result.err;
}

}  // namespace
