// Whether a pipe has a receiver, without a system call for each message that is sent. The kernel is
// asked until a process has received, when the participant that received last is dead, and when a
// process has closed a receiving end.
//
// Memory order O5 (all five: channel/queue_core.hpp):
//   O5. Whether a pipe has a receiver may be out of date. A receiver that leaves while a message is
//       sent could as well leave after it: the next call asks the kernel.
#pragma once

#include <cstdint>

#include "channel/open_queue.hpp"
#include "sync/liveness.hpp"

namespace chorus::inline v0::detail::channel {

[[noreturn]] void throw_no_receiver();

class PipeReceivers {
public:
    explicit PipeReceivers(const OpenQueue& queue) : queue_(queue) {}

    /// Without the kernel: false if it has to be asked. Requires: the lock of the puts is held.
    bool is_known() const noexcept {
        // O5: the order of these two loads is of no matter.
        const sync::ParticipantId last = queue_.state.last_getter.load(std::memory_order_relaxed);
        return queue_.state.departures.load(std::memory_order_relaxed) == seen_departures_ &&
               last != sync::no_participant && !sync::is_dead(last);
    }
    /// Throws: BrokenPipe. Requires: the lock of the puts is held.
    void require();
    /// This process closes its receiving end: until the next process has received, each send asks the
    /// kernel.
    void depart() const noexcept;

private:
    const OpenQueue& queue_;
    std::uint32_t seen_departures_ = 0;
};

}  // namespace chorus::inline v0::detail::channel
