#include "channel/readiness.hpp"

#include "channel/descriptor_batches.hpp"

namespace chorus::inline v0::detail::channel {

void Readiness::clear(PollSignal& signal, int socket) noexcept {
    while (platform::discard_message(socket)) {
    }
    signal.filled = 0;
}

bool Readiness::is_ready_or_will_ring(Deadline deadline) const {
    auto& state = queue_.state;
    const auto ready = [&] { return queue_.has_some() || queue_.is_shut_down(); };
    if (ready()) return true;
    const HeldSide held(queue_, state.puts, deadline);
    if (!held || ready()) return ready();
    state.gets.signal.wanted = 1;
    if (under_lock(state.gets.signal.filled) != 0 || DescriptorPassing::may_be_there(state)) {
        state.batches.count = 0;
        clear(state.gets.signal, descriptor());
    }
    return false;
}

void Readiness::stop_ringing() const {
    auto& state = queue_.state;
    const HeldSide held(queue_, state.puts, {});
    state.gets.signal.wanted = 0;
    // A batch may belong to an item whose consumer would miss it: only bells are taken out.
    if (under_lock(state.gets.signal.filled) != 0 && !DescriptorPassing::may_be_there(state))
        clear(state.gets.signal, descriptor());
}

bool Readiness::wait_for_something(const char* call, Deadline deadline) const {
    const bool something = wait(
        call, position_of(queue_.state.puts), descriptor(), deadline, [&] { return queue_.has_some(); },
        [&] { return is_ready_or_will_ring(deadline); });
    // A caller that asks again and again by a descriptor must not find the bell of a message that is
    // gone.
    return something || is_ready_or_will_ring(now) || is_hung_up(descriptor());
}

bool Readiness::is_hung_up(int socket) {
    platform::Waited waited{socket};
    platform::wait_for_any(std::span(&waited, 1), now);
    return waited.hung_up;
}

}  // namespace chorus::inline v0::detail::channel
