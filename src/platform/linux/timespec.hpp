// A duration as system calls take it.
#pragma once

#include <chrono>
#include <ctime>

namespace chorus::inline v0::detail::platform {

inline timespec as_timespec(std::chrono::nanoseconds time) {
    return {static_cast<time_t>(time.count() / 1'000'000'000),
            static_cast<long>(time.count() % 1'000'000'000)};
}

}  // namespace chorus::inline v0::detail::platform
