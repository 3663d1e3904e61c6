#include "channel/pipe_receivers.hpp"

#include <chorus/errors.hpp>
#include "channel/readiness.hpp"

namespace chorus::inline v0::detail::channel {

void throw_no_receiver() { throw BrokenPipe("the pipe's other end is closed: no receiver is left"); }

void PipeReceivers::require() {
    const std::uint32_t departures = queue_.state.departures.load(std::memory_order_relaxed);
    if (is_known()) return;
    if (Readiness::is_hung_up(queue_.sockets.of_puts())) throw_no_receiver();
    seen_departures_ = departures;
}

void PipeReceivers::depart() const noexcept {
    queue_.state.departures.fetch_add(1);
    queue_.state.last_getter = sync::no_participant;
}

}  // namespace chorus::inline v0::detail::channel
