// Deadlines of a pool: when tasks and starts of workers are late, and whether tasks that wait make
// progress.
//
// Only the watchdog knows the running time. What another thread adds counts from the watchdog's next
// look.
//
// Thread safety: under the backend's mutex.
// Crash safety: private memory of the pool's process.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <tuple>

#include <chorus/detail/pool/task.hpp>
#include "pool/watchdog.hpp"

namespace chorus::inline v0::detail::pool {

class Deadlines {
public:
    using TimePoint = Watchdog::TimePoint;
    /// Marks the start of a worker, by its number, among the tasks' ids.
    static constexpr std::uint64_t start_of_worker = std::uint64_t{1} << 63;

    void add(std::uint64_t id, const Deadline& timeout) {
        fresh_.insert({worker::RunningTime::after(TimePoint(0), timeout), id});
    }
    void remove(std::uint64_t id) noexcept;
    /// For the watchdog: removes and returns one that is late.
    std::optional<std::uint64_t> take_late(TimePoint time) noexcept;
    /// For the watchdog, after take_late(): when the next one will be late.
    TimePoint next() const noexcept { return due_.empty() ? Watchdog::never : due_.begin()->when; }

private:
    struct Due {
        TimePoint when{};
        std::uint64_t id = 0;
        friend bool operator<(const Due& a, const Due& b) {
            return std::tie(a.when, a.id) < std::tie(b.when, b.id);
        }
    };

    std::set<Due> due_;
    std::set<Due> fresh_;  ///< `when` counts from the watchdog's next look
};

/// A worker that was stopped (SIGSTOP) may keep the others from the task queue, or all workers may be
/// stopped. So while tasks with a timeout wait to be begun, the watchdog looks whether anything
/// progresses.
class StallWatch {
public:
    using TimePoint = Watchdog::TimePoint;
    struct Progress {
        std::uint32_t taken = 0;     ///< messages, from the task queue
        std::uint64_t received = 0;  ///< messages, from the result queue
        friend bool operator==(const Progress&, const Progress&) = default;
    };

    /// A task with this timeout is submitted.
    void add_timeout(std::chrono::nanoseconds timeout) noexcept {
        longest_timeout_ = std::max(longest_timeout_, timeout);
    }
    /// Whether the task has a timeout that has not begun.
    void count_as_waiting(Task& task, bool waits) noexcept {
        if (task.options.timeout.is_never() || task.waits_to_begin == waits) return;
        task.waits_to_begin = waits;
        waiting_ += waits ? 1 : std::size_t(-1);
    }
    bool is_watching() const noexcept { return since_.has_value(); }
    /// For the watchdog. Returns true if nothing has progressed for as long as the longest timeout;
    /// then it counts anew.
    bool has_stalled(Progress progress, TimePoint time) noexcept;
    /// For the watchdog: when to look next.
    TimePoint next() const noexcept {
        return since_ ? worker::RunningTime::after(*since_, longest_timeout_) : Watchdog::never;
    }

private:
    std::size_t waiting_ = 0;
    std::chrono::nanoseconds longest_timeout_{0};
    Progress seen_;
    std::optional<TimePoint> since_;
};

}  // namespace chorus::inline v0::detail::pool
