// Running time: monotonic time without the time in which the whole program was stopped (Ctrl-Z, SIGSTOP, a
// debugger, a frozen control group). The timeouts of calls are counted in it.
//
// No clock stands still while a program is stopped, and SIGCONT belongs to the program. But a stop interrupts
// the system call that a thread waits in, and the kernel goes on with what was left of its time when the stop
// came. So a thread that watches deadlines counts what it has waited by what the kernel says is left. Between
// two waits it goes by the monotonic clock, of which it counts no more than most_between_waits: the program
// may have been stopped just there. A thread that the machine is too busy to run, or that runs a slow
// callback, cannot be told from that: a late call gets more time then, never less. A machine that sleeps
// needs nothing, as its monotonic clock stands still.
//
// Thread safety: of one thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>

#include <chorus/deadline.hpp>
#include "platform/file_descriptor.hpp"

namespace chorus::inline v0::detail::worker {

/// How long work may take that begins now: a duration counts from here, a time point is what is left of it.
inline std::chrono::nanoseconds length_of(const Deadline& timeout) noexcept {
    if (const auto duration = timeout.duration()) return *duration;
    return timeout.is_never() ? std::chrono::nanoseconds::max() : timeout.remaining();
}
/// For messages: "its timeout of 2 s". `format` is of a double.
inline std::string limit_in_words(const char* what, const Deadline& limit, const char* format) {
    if (!limit.duration()) return std::string("the time point of its ") + what;
    char text[64];
    std::snprintf(text, sizeof text, format, std::chrono::duration<double>(*limit.duration()).count());
    return std::string("its ") + what + " of " + text + " s";
}
/// Throws: UsageError for a limit that no work can keep.
inline void expect_not_negative(const Deadline& limit) {
    if (const auto duration = limit.duration(); duration && duration->count() < 0)
        throw UsageError("a timeout cannot be negative: got " +
                         std::to_string(std::chrono::duration<double>(*duration).count()) + " s");
}

class RunningTime {
public:
    /// Since some point in the past; comparable with what the same object gives.
    using Point = std::chrono::nanoseconds;
    static constexpr Point never = Point::max();
    static constexpr auto most_between_waits = std::chrono::milliseconds(100);

    Point now() noexcept {
        const auto clock = Deadline::Clock::now();
        counted_ += std::min<Point>(clock - looked_, most_between_waits);
        looked_ = clock;
        return counted_;
    }

    static Point after(Point now, Point length) noexcept { return length == never ? never : now + length; }
    static Point after(Point now, const Deadline& timeout) noexcept { return after(now, length_of(timeout)); }

    /// Waits until the descriptor is readable. Returns false when this point has come first.
    bool wait_readable(int descriptor, Point until) {
        if (until == never) {
            platform::wait_readable(descriptor);
            looked_ = Deadline::Clock::now();
            return true;
        }
        const auto most = std::max(until - now(), Point(0));
        auto left = most;
        const bool readable = platform::wait_readable_for(descriptor, left);
        counted_ += most - left;
        looked_ = Deadline::Clock::now();
        return readable;
    }

private:
    Point counted_{0};
    Deadline::Clock::time_point looked_ = Deadline::Clock::now();
};

}  // namespace chorus::inline v0::detail::worker
