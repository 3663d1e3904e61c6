#include "channel/line.hpp"

#include <array>

namespace chorus::inline v0::detail::channel {

// The kernel looks at the words one by one, and begins to wait on each as it goes. The bell comes
// before the word: if the caller that changes the word is killed before it rings, the kernel finds the
// sleeper on the bell, or the sleeper finds the word changed.
void sleep_on(const sync::Word& watched, std::uint32_t seen, const sync::Bell& bell, sync::Word& phase,
              std::uint32_t before, Deadline deadline) {
    sync::require_possible_waker(Sharing::processes, deadline);
    const platform::WakesAtDeath handed_on(phase);
    const std::array<platform::WordHolds, 3> words{
        {{&bell.word(), sync::Bell::marked}, {&phase, before}, {&watched, seen}}};
    platform::shared_futex_wait_on_all(words, deadline);
    // If the caller that shuts down is killed the kernel wakes one sleeper, which wakes the rest.
    if (phase.load() != before) platform::shared_futex_wake_all(phase);
}

}  // namespace chorus::inline v0::detail::channel
