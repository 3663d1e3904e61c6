// Waits until a thread of this process sleeps: so that a test can be sure that it has begun to wait.
#pragma once

#include <fstream>
#include <string>
#include <thread>

#include <chorus/threading.hpp>

/// Returns early when the thread has ended. A thread that sleeps for another reason is taken for one that
/// waits.
inline void until_asleep(const chorus::threading::Thread& thread) {
    for (;;) {
        std::ifstream file("/proc/self/task/" + std::to_string(thread.native_id()) + "/stat");
        std::string line;
        if (!std::getline(file, line)) return;
        const auto name_end = line.rfind(')');
        if (name_end != std::string::npos && line.compare(name_end, 3, ") S") == 0) return;
        std::this_thread::yield();
    }
}
