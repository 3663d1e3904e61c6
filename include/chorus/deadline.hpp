// Deadline: how long a call may block, and how long work may take.
//
//     lock.acquire(1s);  lock.acquire(chorus::now);  lock.acquire();    // at most 1 s; not at all; no limit
//     pool.submit({.timeout = 2s}, parse, bytes);                       // 2 s from when a worker begins it
//
// Each blocking call of Chorus takes an optional last Deadline: a duration, a time point, chorus::now, or
// nothing, which means no limit. What a call does when its deadline passes: docs/from_python.md has the
// table.
//
// Thread safety: a value.
#pragma once

#include <chorus/version.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>

#include <chorus/errors.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0 {

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

/// A point in monotonic time, or no limit. A duration counts from the moment the Deadline is made, and is
/// remembered: restarted() counts it again. A duration of zero or less is the same as chorus::now; one of 95
/// years or more is no limit.
class Deadline {
public:
    /// The clock of all waits: steady, never adjusted.
    using Clock = std::chrono::steady_clock;

    /// No limit.
    constexpr Deadline() noexcept = default;
    /// No limit, as Python's `timeout=None`.
    constexpr Deadline(std::nullopt_t) noexcept {}

    /// Do not block.
    constexpr Deadline(now_t) noexcept : when_(Clock::time_point::min()), duration_(0) {}

    /// Never compiles: a number needs a unit, and the compiler's message says what to write.
    template <class Number, class WhatToDo = timeout_needs_a_unit<
                                Number, write_5s_or_100ms_after_using_namespace_std_chrono_literals>>
        requires std::is_arithmetic_v<Number>
    Deadline(Number) = delete;

    /// So long from now. Throws: UsageError if the duration is not a number.
    template <class Rep, class Period>
    Deadline(std::chrono::duration<Rep, Period> duration)
        : Deadline(from_seconds(std::chrono::duration<long double>(duration).count())) {}
    /// The same; empty: no limit.
    template <class Rep, class Period>
    Deadline(std::optional<std::chrono::duration<Rep, Period>> duration)
        : Deadline(duration ? Deadline(*duration) : Deadline()) {}

    /// Until then, by any clock.
    template <class AnyClock, class Duration>
    Deadline(std::chrono::time_point<AnyClock, Duration> when)
        // As floating point, since points far away have no difference that could be counted.
        : Deadline(std::chrono::duration<long double>(when.time_since_epoch()) -
                   std::chrono::duration<long double>(AnyClock::now().time_since_epoch())) {
        duration_ = no_duration;
    }

    /// Whether there is no limit.
    bool is_never() const noexcept { return when_ == Clock::time_point::max(); }
    /// Whether no time is left; always so for chorus::now.
    bool has_passed() const noexcept {
        return !is_never() && (when_ == Clock::time_point::min() || Clock::now() >= when_);
    }

    /// The time left, never negative. Requires: !is_never().
    std::chrono::nanoseconds remaining() const noexcept {
        if (when_ == Clock::time_point::min()) return std::chrono::nanoseconds(0);
        const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(when_ - Clock::now());
        return left.count() > 0 ? left : std::chrono::nanoseconds(0);
    }

    /// The point itself, Clock::time_point::max() if there is no limit.
    Clock::time_point when() const noexcept { return when_; }

    /// The duration that it was made of, also a negative one; empty if it was made of a point, or without a
    /// limit.
    std::optional<std::chrono::nanoseconds> duration() const noexcept {
        if (duration_ == no_duration) return std::nullopt;
        return std::chrono::nanoseconds(duration_);
    }
    /// The same duration counted from now; a point stays where it is.
    Deadline restarted() const {
        return duration_ == no_duration ? *this : Deadline(std::chrono::nanoseconds(duration_));
    }

private:
    static constexpr std::int64_t no_duration = INT64_MIN;

    static Deadline from_seconds(long double seconds) {
        if (seconds != seconds) throw UsageError("a timeout must be a number, got NaN");
        Deadline result;
        const long double longest = 3.0e9L;  // about 95 years
        if (seconds >= longest) return result;
        result.duration_ = static_cast<std::int64_t>(seconds < -longest ? -longest * 1e9L : seconds * 1e9L);
        result.when_ = seconds <= 0 ? Clock::time_point::min()
                                    : Clock::now() + std::chrono::nanoseconds(result.duration_);
        return result;
    }

    Clock::time_point when_ = Clock::time_point::max();
    std::int64_t duration_ = no_duration;
};

/// The former name of what limits work; the same type. Kept for a release.
using Timeout = Deadline;

}  // namespace chorus::inline v0

#pragma GCC visibility pop
