// Spin-then-park: spins for a short time before a thread goes to sleep, because to sleep and be woken
// costs more than a short spin.
//
// It spins with pause instructions and never yields the processor. A yield gives away a whole time
// slice if other threads are runnable, as long as ten milliseconds. Therefore a spin is short. It fails
// if the other side runs on the same processor or has to wait for one. After failures a thread spins
// less and less often, down to once in sixteen times. The first success makes it spin each time again.
// Whether two threads run on different processors cannot be found otherwise: a thread that is pinned to
// one has an affinity of one.
#pragma once

#include <chrono>

#include <chorus/deadline.hpp>

namespace chorus::inline v0::detail::platform {

class Look {
public:
    /// About what it costs to sleep and be woken.
    static constexpr std::chrono::microseconds usual{20};

    /// Learns from earlier spins of this thread.
    Look() noexcept : longest_(usual), learns_(true) {}
    /// Always spins.
    explicit Look(std::chrono::nanoseconds longest) noexcept : longest_(longest) {}
    ~Look();
    Look(const Look&) = delete;
    Look& operator=(const Look&) = delete;

    /// Pauses a moment. Returns whether the caller should check its condition once more.
    bool again() noexcept;

private:
    static constexpr int looks_at_once = 16;  ///< checks between two readings of the clock

    const std::chrono::nanoseconds longest_;
    const bool learns_ = false;
    bool has_failed_ = false;
    Deadline::Clock::time_point until_{};
    int looks_ = 0;
};

}  // namespace chorus::inline v0::detail::platform
