// The state of an event, and a wait for it that another condition can end.
#pragma once

#include "memory/damage.hpp"
#include "sync/waiting.hpp"

namespace chorus::inline v0::detail::sync {

/// Writers: of `word` the thread that sets or clears. Its lowest bit says whether the event is set, the
/// others count how often it was: by that a waiter knows that it was set and cleared while it slept.
struct EventState {
    static constexpr std::uint32_t is_set = 1;
    static constexpr std::uint32_t one_setting = 2;

    Word word{0};
    Bell bell;
    memory::Fixed<Sharing> sharing{Sharing::threads};
};

/// Waits until the event is set or the condition holds. A thread that makes it hold calls wake_waiters()
/// afterwards.
template <class Condition>
void wait_until_set_or(EventState& state, Condition condition) {
    const Sharing sharing = state.sharing.get("the event");
    const auto attempt = [&] { return (state.word.load() & EventState::is_set) != 0 || condition(); };
    wait_until("StopToken", sharing, state.word, state.bell, {}, attempt,
               [&] { state.bell.ring_all(sharing); });
}
inline void wake_waiters(EventState& state) { state.bell.ring_all(state.sharing.get("the event")); }

}  // namespace chorus::inline v0::detail::sync
