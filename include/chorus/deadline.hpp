// How long a call may block: for ever, until then, or not at all.
//
// Every blocking call of Chorus takes one optional last Deadline: leave it out to wait for ever, or
// give a duration, a time point, or chorus::now.
//
// Threads: a value; copy it freely.
// Death: nothing is held.
#pragma once

#include <chrono>
#include <string>
#include <type_traits>

#include <chorus/errors.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus {

// Never defined: their names are what the compiler prints when a time is given as a bare number.
struct write_5s_or_100ms_after_using_namespace_std_chrono_literals;
template <class Number, class Instead>
struct timeout_needs_a_unit;

/// The type of chorus::now.
struct now_t {
    explicit now_t() = default;
};
/// "Do not block": `lock.acquire(chorus::now)`.
inline constexpr now_t now{};

/// A point in monotonic time, or never. Durations count from the moment the Deadline is made.
/// A zero or negative duration is the same as chorus::now, one too long to count is for ever.
class Deadline {
public:
    /// The clock that waits go by: it never jumps.
    using Clock = std::chrono::steady_clock;

    /// For ever.
    constexpr Deadline() noexcept = default;

    /// Not at all.
    constexpr Deadline(now_t) noexcept : when_(Clock::time_point::min()) {}

    /// Stops the build with one line that says what to write: 5 of what?
    template <class Number>
        requires std::is_arithmetic_v<Number>
    Deadline(Number) {
        (void)sizeof(
            timeout_needs_a_unit<Number, write_5s_or_100ms_after_using_namespace_std_chrono_literals>);
    }

    /// Throws: UsageError if the duration is not a number.
    template <class Rep, class Period>
    Deadline(std::chrono::duration<Rep, Period> duration)
        : Deadline(from_seconds(std::chrono::duration<long double>(duration).count())) {}

    /// Until then, by whichever clock.
    template <class AnyClock, class Duration>
    Deadline(std::chrono::time_point<AnyClock, Duration> when)
        // As floating point, since points far away have no difference that could be counted.
        : Deadline(std::chrono::duration<long double>(when.time_since_epoch()) -
                   std::chrono::duration<long double>(AnyClock::now().time_since_epoch())) {}

    /// Whether it is for ever.
    bool is_never() const noexcept { return when_ == Clock::time_point::max(); }
    /// Whether there is no time left; always so for chorus::now.
    bool has_passed() const noexcept {
        return !is_never() && (when_ == Clock::time_point::min() || Clock::now() >= when_);
    }

    /// Time left, never negative. Requires: !is_never().
    std::chrono::nanoseconds remaining() const noexcept {
        if (when_ == Clock::time_point::min()) return std::chrono::nanoseconds(0);
        const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(when_ - Clock::now());
        return left.count() > 0 ? left : std::chrono::nanoseconds(0);
    }

    /// The point itself, Clock::time_point::max() for "for ever".
    Clock::time_point when() const noexcept { return when_; }

private:
    static Deadline from_seconds(long double seconds) {
        if (seconds != seconds) throw UsageError("a timeout must be a number, got NaN");
        if (seconds <= 0) return now;
        Deadline result;
        const long double longest = 3.0e9L;  // about 95 years: for ever
        if (seconds < longest)
            result.when_ = Clock::now() + std::chrono::nanoseconds(static_cast<long long>(seconds * 1e9L));
        return result;
    }

    Clock::time_point when_ = Clock::time_point::max();
};

}  // namespace chorus

#pragma GCC visibility pop
