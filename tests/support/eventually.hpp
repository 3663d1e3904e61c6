// For what comes by itself and cannot be waited for: a process that is gone, an object that is let go.
#pragma once

#include <chrono>
#include <thread>

/// Looks again and again. Returns false when it does not hold within a time that only a broken library needs.
template <class Condition>
bool eventually(Condition holds, std::chrono::seconds limit = std::chrono::seconds(20)) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!holds()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::yield();
    }
    return true;
}
