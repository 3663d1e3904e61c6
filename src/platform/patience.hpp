// Backoff for sleeps on shared memory: how long a thread sleeps before it checks the condition again by
// itself.
//
// A waker makes no system call unless a mark in shared memory says that there are sleepers. A stray
// write of another process can clear the mark, and then no change would wake the sleeper. A sleep
// therefore ends after 1 s, then 2, 4 and so on up to a minute; the caller checks its condition and
// sets the mark again. A lost wake-up costs 1 s, or as much time as was waited already, and an idle
// process is not kept busy.
#pragma once

#include <algorithm>
#include <chrono>

#include <chorus/deadline.hpp>

namespace chorus::inline v0::detail::platform {

class Patience {
public:
    constexpr explicit Patience(std::chrono::nanoseconds shortest = std::chrono::seconds(1)) noexcept
        : shortest_(shortest) {}

    /// Sleeps by calling `wait(Deadline)`, which returns false if that deadline passes. Returns false
    /// if the given deadline passes, and true after a wake-up or when it is time to check again.
    template <class Wait>
    bool sleep(Deadline deadline, Wait wait) {
        const Deadline soon(time_);
        if (deadline.when() <= soon.when()) return wait(deadline);
        if (wait(soon)) {
            time_ = shortest_;
        } else {
            time_ = std::min(time_ * 2, longest);
        }
        return true;
    }

private:
    static constexpr std::chrono::nanoseconds longest = std::chrono::minutes(1);

    std::chrono::nanoseconds shortest_;
    std::chrono::nanoseconds time_ = shortest_;
};

}  // namespace chorus::inline v0::detail::platform
