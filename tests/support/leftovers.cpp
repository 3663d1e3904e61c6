// After each case: no thread, no child but the fork server, and no descriptor more than before.
#include <filesystem>
#include <set>
#include <string>

#include <gmock/gmock.h>

#include <chorus/chorus.hpp>

namespace {

namespace fs = std::filesystem;

std::set<std::string> open_descriptors() {
    std::set<std::string> targets;
    for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
        std::error_code error;
        const auto target = fs::read_symlink(entry.path(), error);
        if (error || target.string().find("/proc/") == 0) continue;
        targets.insert(entry.path().filename().string() + " -> " + target.string());
    }
    return targets;
}

// The library keeps these for its own life: its fork server's socket, life line and pages.
bool is_the_librarys(const std::string& descriptor) {
    for (const char* mark :
         {"socket:", "pipe:", "memfd:chorus-commons", "memfd:chorus-hand-over", "memfd:chorus-gate",
          "memfd:chorus-objects", "anon_inode:[pidfd]", "anon_inode:[eventpoll]", "anon_inode:[eventfd]"}) {
        if (descriptor.find(mark) != std::string::npos) return true;
    }
    return false;
}

class Leftovers : public testing::EmptyTestEventListener {
    void OnTestStart(const testing::TestInfo&) override { before_ = open_descriptors(); }

    void OnTestEnd(const testing::TestInfo&) override {
        EXPECT_TRUE(chorus::mp::active_children().empty()) << "the test leaves a process behind";
        EXPECT_EQ(chorus::mt::active_count(), 1U) << "the test leaves a thread behind";
        std::vector<std::string> kept;
        for (const auto& descriptor : open_descriptors()) {
            if (before_.count(descriptor) != 0) continue;
            if (is_the_librarys(descriptor)) {
                kept.push_back(descriptor);
            } else {
                ADD_FAILURE() << "the test leaves a descriptor behind: " << descriptor;
            }
        }
        // Ten, and that of a child of async() whose result has come: it is let go a moment later.
        EXPECT_THAT(kept, testing::SizeIs(testing::Le(11U)))
            << "the test leaves descriptors of the library behind";
    }

    std::set<std::string> before_;
};

}  // namespace

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    testing::UnitTest::GetInstance()->listeners().Append(new Leftovers);
    return RUN_ALL_TESTS();
}
