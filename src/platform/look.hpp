// Looking for what another one is about to do, before going to sleep: to sleep and be woken costs more than a
// short look.
//
// By pauses alone, which leave the processor to no other thread: to yield it gives away a whole time slice
// where other threads want to run, as long as ten milliseconds. So a look is short. Where looks fail, because
// the other side runs on the same processor or has to wait for one, a thread looks less and less often: once
// in sixteen times. The first success makes it look each time again. Whether two threads run on different
// processors cannot be known otherwise: a thread that is pinned to one has an affinity of one.
#pragma once

#include <chrono>

#include <chorus/deadline.hpp>

namespace chorus::inline v0::detail::platform {

class Look {
public:
    /// About what it costs to sleep and be woken.
    static constexpr std::chrono::microseconds usual{20};

    /// Learns from the looks of this thread before.
    Look() noexcept : longest_(usual), learns_(true) {}
    /// Always looks.
    explicit Look(std::chrono::nanoseconds longest) noexcept : longest_(longest) {}
    ~Look();
    Look(const Look&) = delete;
    Look& operator=(const Look&) = delete;

    /// Pauses a moment, and says whether to look once more.
    bool again() noexcept;

private:
    static constexpr int looks_at_once = 16;  ///< between two looks at the clock

    const std::chrono::nanoseconds longest_;
    const bool learns_ = false;
    bool has_failed_ = false;
    Deadline::Clock::time_point until_{};
    int looks_ = 0;
};

}  // namespace chorus::inline v0::detail::platform
