// Readiness for waiters that use poll, epoll or mp::wait, and for a pipe's ends, which must also learn
// that the other end is gone.
//
// A message in the socket makes it readable: a bell, or descriptors that belong to an item. A waiter
// sets `wanted`; from then on the other side makes sure before each commit that there is a message. A
// caller that finds nothing to do takes it out again. All of that happens under the other side's lock:
// so there is no commit without a bell that a waiter which then sleeps could miss.
#pragma once

#include <span>

#include <chorus/deadline.hpp>
#include "channel/held_side.hpp"
#include "platform/look.hpp"
#include "platform/patience.hpp"
#include "trace/trace.hpp"

namespace chorus::inline v0::detail::channel {

class Readiness {
public:
    explicit Readiness(const OpenQueue& queue) : queue_(queue) {}

    /// Before a commit: makes the other side's descriptor readable if that is wanted. Requires: the
    /// lock of the side that sends on the socket is held. Throws: OsError.
    void ring(PollSignal& signal, int socket) const {
        if (under_lock(signal.wanted) == 0 || under_lock(signal.filled) != 0) [[likely]]
            return;
        // No room means that there is a message in it; no receiver, that no process waits.
        post_number(socket, no_batch);
        signal.filled = 1;
    }
    /// Takes out all messages. Requires: as above; there is nothing that a message could be about.
    static void clear(PollSignal& signal, int socket) noexcept;

    /// To be watched by poll: readable when there is something to get.
    int descriptor() const noexcept { return queue_.sockets.of_gets(); }
    /// Of a pipe's sending end: readable when there is room.
    int sending_descriptor() const noexcept { return queue_.sockets.of_puts(); }
    /// Whether get would not wait. If not, the descriptor becomes readable when that changes. May wait
    /// a moment for another call to finish.
    bool is_ready_or_will_ring(Deadline deadline) const;
    /// From now on the descriptor says nothing, until a caller asks the above again.
    void stop_ringing() const;
    /// Returns false if the deadline passes. A pipe's end that is gone counts as something.
    bool wait_for_something(const char* call, Deadline deadline) const;

    /// Whether the other end of the socket is gone.
    static bool is_hung_up(int socket);

    /// Waits until the attempt succeeds; false if the deadline passes or the other end is gone.
    /// `watched` changes when an attempt may succeed; `ready_or_will_ring` is true if it may, and else
    /// the socket becomes readable when that changes.
    template <class Attempt, class WillRing>
    static bool wait(const char* call, const sync::Word& watched, int socket, Deadline deadline,
                     Attempt attempt, WillRing ready_or_will_ring);

private:
    const OpenQueue& queue_;
};

template <class Attempt, class WillRing>
bool Readiness::wait(const char* call, const sync::Word& watched, int socket, Deadline deadline,
                     Attempt attempt, WillRing ready_or_will_ring) {
    std::uint32_t seen = watched.load();
    if (attempt()) return true;
    if (deadline.has_passed()) return false;
    constexpr int tries = 4;
    for (int i = 0; i < tries && sync::spin_until([&] { return watched.load() != seen; }); ++i) {
        seen = watched.load();
        if (attempt()) return true;
    }
    trace::Wait wait(call);
    platform::Patience patience;
    for (;;) {
        if (attempt()) return true;
        if (deadline.has_passed()) return false;
        if (ready_or_will_ring()) continue;
        wait.begins();
        platform::Waited waited{socket};
        patience.sleep(deadline,
                       [&](Deadline until) { return platform::wait_for_any(std::span(&waited, 1), until); });
        if (waited.hung_up) return attempt();  // what was sent before is still there
    }
}

}  // namespace chorus::inline v0::detail::channel
