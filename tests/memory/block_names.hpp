// Names of shared memory that are this test's own, and the check that none of them is left at its end.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <unistd.h>

#include <gtest/gtest.h>

#include <support/message_of.hpp>
#include <support/run_program.hpp>

/// Other tests run at the same time, so each looks after its own names only.
class BlockNames {
public:
    BlockNames() = default;
    BlockNames(const BlockNames&) = delete;
    BlockNames& operator=(const BlockNames&) = delete;
    ~BlockNames() {
        for (const auto& entry : std::filesystem::directory_iterator("/dev/shm")) {
            if (entry.path().filename().string().starts_with(prefix_))
                known_.push_back(entry.path().filename());
        }
        for (const auto& name : known_) {
            std::error_code ignored;
            EXPECT_FALSE(std::filesystem::remove("/dev/shm/" + name, ignored))
                << "the test leaves shared memory behind: " << name;
        }
    }

    /// A name that no other process uses.
    std::string name(const std::string& what) const { return prefix_ + what; }
    /// One that was chosen by the library.
    std::string known(const std::string& name) {
        known_.push_back(name);
        return name;
    }
    static bool is_taken(const std::string& name) { return std::filesystem::exists("/dev/shm/" + name); }
    static std::string path(const std::string& name) { return "/dev/shm/" + name; }

private:
    std::string prefix_ = "chorus-test-" + std::to_string(::getpid()) + "-";
    std::vector<std::string> known_;
};

/// Runs a Python program with arguments as sys.argv[1:]. It has the module as `shm`, and keep(x), after which
/// x lives on when that Python ends.
inline ProgramResult run_python(const std::string& program, const std::vector<std::string>& arguments) {
    const std::string head =
        "import sys\n"
        "from multiprocessing import shared_memory as shm, resource_tracker\n"
        "def keep(x):\n"
        "    block = getattr(x, 'shm', x)\n"
        "    resource_tracker.unregister(block._name, 'shared_memory')\n"
        "    return x\n";
    std::vector<std::string> all{"python3", "-c", head + program};
    all.insert(all.end(), arguments.begin(), arguments.end());
    auto result = run_program(all);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.err, "");
    return result;
}
