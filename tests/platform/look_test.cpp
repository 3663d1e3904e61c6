// How often a thread looks before it sleeps: each time while looks succeed, rarely while they fail.
#include <chrono>
#include <thread>

#include <sched.h>
#include <unistd.h>

#include <gtest/gtest.h>
#include "platform/look.hpp"

namespace {

using chorus::detail::platform::Look;

bool has_one_processor() { return ::sysconf(_SC_NPROCESSORS_ONLN) == 1; }

// Returns whether there was a look; nothing comes of it.
bool look_in_vain() {
    Look look;
    bool looked = false;
    while (look.again()) looked = true;
    return looked;
}
bool look_and_succeed() {
    Look look;
    return look.again();
}

TEST(Look, a_pinned_thread_looks_too) {
    if (has_one_processor()) GTEST_SKIP() << "nothing else runs during a look";
    std::thread([] {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(static_cast<std::size_t>(::sched_getcpu()), &one);
        ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
        EXPECT_TRUE(look_in_vain());
    }).join();
}

TEST(Look, in_vain_becomes_rare_until_one_succeeds) {
    if (has_one_processor()) GTEST_SKIP() << "nothing else runs during a look";
    std::thread([] {
        int looks = 0;
        for (int i = 0; i < 160; ++i) looks += look_in_vain() ? 1 : 0;
        EXPECT_GE(looks, 10);
        EXPECT_LE(looks, 16);
        while (!look_and_succeed()) {
        }
        for (int i = 0; i < 20; ++i) EXPECT_TRUE(look_and_succeed());
    }).join();
}

}  // namespace
