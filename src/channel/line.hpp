// How a caller that finds nothing to get (or no room to put) waits.
//
// It queues at the side's robust mutex, the line. The first in the line sleeps on the other side's
// index, and is the only sleeper there. It keeps its place until it holds the side's lock: if it is
// killed before, the kernel hands the mutex on, and the next in the line looks.
#pragma once

#include <cstdint>

#include <chorus/deadline.hpp>
#include "channel/queue_state.hpp"
#include "platform/robust_mutex.hpp"
#include "sync/waiting.hpp"
#include "trace/trace.hpp"

namespace chorus::inline v0::detail::channel {

class PlaceInLine {
public:
    PlaceInLine(platform::RobustMutex& line, Deadline deadline)
        : line_(line), in_time_(line.lock(deadline)) {}
    ~PlaceInLine() {
        if (in_time_) line_.unlock();
    }
    PlaceInLine(const PlaceInLine&) = delete;
    PlaceInLine& operator=(const PlaceInLine&) = delete;
    bool in_time() const noexcept { return in_time_; }

private:
    platform::RobustMutex& line_;
    bool in_time_;
};

/// Sleeps while the word, the marked bell and the phase stay as they are; may return early. Requires:
/// what they held was read before the caller looked for the last time, or it could miss a change and
/// sleep on it.
void sleep_on(const sync::Word& watched, std::uint32_t seen, const sync::Bell& bell, sync::Word& phase,
              std::uint32_t before, Deadline deadline);

/// Waits until the attempt, which takes the side's lock, succeeds. Returns false if the deadline
/// passes.
template <class Attempt>
bool wait_in_line(const char* call, Side& side, const sync::Word& watched, sync::Word& phase,
                  Deadline deadline, Attempt attempt) {
    std::uint32_t seen = watched.load();
    if (attempt()) return true;
    if (deadline.has_passed()) return false;
    constexpr int tries = 4;  // others may be quicker each time
    const auto has_changed = [&] { return watched.load() != seen || phase.load() != QueueState::open; };
    for (int i = 0; i < tries && sync::spin_until(has_changed); ++i) {
        seen = watched.load();
        if (attempt()) return true;
    }
    trace::Wait wait(call);
    wait.begins();
    const PlaceInLine place(side.line, deadline);
    if (!place.in_time()) return false;
    for (;;) {
        seen = watched.load();
        const std::uint32_t before = phase.load();
        side.bell.mark();
        if (attempt()) return true;
        if (deadline.has_passed()) return false;
        sleep_on(watched, seen, side.bell, phase, before, deadline);
    }
}

}  // namespace chorus::inline v0::detail::channel
