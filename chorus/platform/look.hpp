// Looking for what another one is about to do, before going to sleep: to sleep and be woken costs more than a
// short look.
//
// By pauses alone, which leave the processor to nobody: to yield it gives away a whole turn where others want
// to run, as long as ten milliseconds. So a look is short, and is over at once when it is seen that time has
// passed without us: then others do want to run. Where there is one processor, nobody else gets on meanwhile,
// and there is no look.
#pragma once

#include <chrono>

#include <chorus/deadline.hpp>

namespace chorus::platform {

class Look {
public:
    /// About what it costs to sleep and be woken.
    static constexpr std::chrono::microseconds usual{20};

    explicit Look(std::chrono::nanoseconds longest = usual) noexcept : longest_(longest) {}
    /// Pauses a moment, and says whether to look once more.
    bool again() noexcept;

private:
    static constexpr int looks_at_once = 16;  ///< between two looks at the clock

    const std::chrono::nanoseconds longest_;
    Deadline::Clock::time_point until_{};
    int looks_ = 0;
};

}  // namespace chorus::platform
