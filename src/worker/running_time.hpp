// Running time: monotonic time without the time in which the whole program was stopped (Ctrl-Z,
// SIGSTOP, a debugger, a frozen control group). The timeouts of calls are counted in it.
//
// No clock pauses while a program is stopped, and a handler of SIGCONT belongs to the program. But a
// stop interrupts the system call in which a thread waits, and the kernel resumes it with the time that
// was left when the stop came. Therefore a thread that watches deadlines computes the time of a wait
// from the rest that the kernel returns. Between two waits it uses the monotonic clock, of which it
// counts no more than most_between_waits: the program may have been stopped there. A stop cannot be
// distinguished from a machine that is too busy to run the thread, or from a slow callback. In these
// cases a late call gets more time, never less. A suspended machine needs no treatment, because its
// monotonic clock pauses.
//
// Thread safety: an object belongs to one thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>

#include <chorus/deadline.hpp>
#include "platform/file_descriptor.hpp"

namespace chorus::inline v0::detail::worker {

/// How long work that begins now may take: a duration counts from now, a time point is the time until
/// then.
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
    /// Time since some point in the past. Comparable with other points of the same object.
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

    /// Waits until the descriptor is readable. Returns false if this point comes first.
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
