// Watchdog: the thread of a backend that kills workers which exceed a deadline.
//
// It takes no lock but the backend's, under which no thread waits for a queue. So it can end a worker
// that was stopped while it holds a queue's lock, for which all others wait.
//
// It counts running time: time in which the whole program is stopped does not count against a deadline.
//
// Thread safety: under the backend's mutex, unless said otherwise.
// Crash safety: a copy of the process made by fork has no such thread, and no backend.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>

#include "worker/running_time.hpp"

namespace chorus::inline v0::detail::pool {

class Watchdog {
public:
    using TimePoint = worker::RunningTime::Point;
    static constexpr TimePoint never = worker::RunningTime::never;

    /// `look`, which ends what is late and says when to look next, is called in the thread, under the
    /// mutex. It is passed the running time, which no other thread knows.
    Watchdog(std::mutex& mutex, std::function<TimePoint(TimePoint)> look)
        : mutex_(mutex), look_(std::move(look)) {}

    /// Starts the thread, the first time. Throws: OsError.
    void start();
    /// There is something new to look at.
    void look_again() noexcept {
        if (!std::exchange(wants_look_, true) && !rests_ && bell_) bell_->ring();
    }
    /// Returns when the thread has ended, if there is one. Requires: not the mutex.
    void stop();

private:
    // To be woken for each of many short tasks costs more than they do: so it looks no more often than
    // this.
    static constexpr auto rest = std::chrono::milliseconds(1);

    void run() noexcept;

    std::mutex& mutex_;
    const std::function<TimePoint(TimePoint)> look_;
    std::optional<platform::Doorbell> bell_;  ///< from the start on
    std::condition_variable ended_;
    bool wants_look_ = false;
    bool rests_ = false;  ///< it will look by itself, and is not woken for that
    enum class Phase { none, runs, ends, has_ended } phase_ = Phase::none;
};

}  // namespace chorus::inline v0::detail::pool
