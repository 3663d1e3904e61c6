// How long a sleep on shared memory lasts before the sleeper looks again by itself.
//
// A waker sees by a mark that there are sleepers, and makes no system call where there is none. A stray write
// of another process can take the mark away: then nothing would wake the sleeper, whatever comes. So it looks
// again after 1 s, 2, 4 and so on, up to a minute, and marks again: a lost wake-up costs 1 s, or as much time
// as was waited already, and an idle process is not kept busy.
#pragma once

#include <algorithm>
#include <chrono>

#include <chorus/deadline.hpp>

namespace chorus::platform {

class Patience {
public:
    /// Sleeps by calling `wait(Deadline)`, which returns false when that deadline has passed. Returns false
    /// when the given deadline has passed, and true when something came or it is time to look again.
    template <class Wait>
    bool sleep(Deadline deadline, Wait wait) {
        const Deadline soon(time_);
        if (deadline.when() <= soon.when()) return wait(deadline);
        if (wait(soon)) {
            time_ = shortest;
        } else {
            time_ = std::min(time_ * 2, longest);
        }
        return true;
    }

private:
    static constexpr std::chrono::nanoseconds shortest = std::chrono::seconds(1);
    static constexpr std::chrono::nanoseconds longest = std::chrono::minutes(1);

    std::chrono::nanoseconds time_ = shortest;
};

}  // namespace chorus::platform
