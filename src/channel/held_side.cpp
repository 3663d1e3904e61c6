#include "channel/held_side.hpp"

namespace chorus::inline v0::detail::channel {
namespace {

// What the dead owner may have left half-way. It may have rung the other side's poll signal and not
// said so, or said that it is about to: its waiters are rung for once more.
void recover(const OpenQueue& queue, Side& side) {
    auto& state = queue.state;
    state.sweep = 1;
    const bool is_puts = &side == &state.puts;
    Side& other = is_puts ? state.gets : state.puts;
    // None where this end of a pipe cannot ring: the next call at the other end does.
    const int socket = is_puts                                ? queue.sockets.of_puts()
                       : queue.is_pipe && !queue.sockets.gets ? -1
                                                              : queue.sockets.of_gets();
    other.signal.filled = socket >= 0 ? 1 : 0;
    if (socket >= 0) post_number(socket, no_batch);
    side.lock.trust_again();
}

}  // namespace

// Delegates first: so the destructor gives the lock back if recovery throws.
HeldSide::HeldSide(const OpenQueue& queue, Side& side, Deadline deadline) : HeldSide() {
    using enum sync::LockState::Taken;
    const auto taken = side.lock.take(deadline);
    if (taken == damaged)
        queue.tell_of_damage("the owner in its lock word is no participant that ever lived");
    if (taken == not_in_time) return;
    held_ = &side;
    if (taken == after_owner_died) [[unlikely]]
        recover(queue, side);
}

}  // namespace chorus::inline v0::detail::channel
