#include "sync/waiting.hpp"

#include <array>
#include <climits>

#include <chorus/detail/sync/lock_word.hpp>
#include <chorus/errors.hpp>
#include "platform/os_thread.hpp"

namespace chorus::inline v0::detail::sync {
namespace {

constinit std::atomic<std::uint32_t> threads_numbered{0};

int wake(Sharing sharing, const Word& bell, std::uint32_t most) noexcept {
    const int count = most > INT_MAX ? INT_MAX : static_cast<int>(most);
    return sharing == Sharing::processes ? platform::shared_futex_wake(bell, count)
                                         : platform::futex_wake(bell, count);
}

}  // namespace

namespace {
constinit std::atomic<bool> waits_may_be_endless{false};
constinit std::atomic<bool> no_other_process{false};
}  // namespace

void refuse_endless_waits(bool is_last_process) noexcept {
    no_other_process = is_last_process;
    waits_may_be_endless = true;
}

void allow_endless_waits() noexcept { waits_may_be_endless = false; }

void require_possible_waker(Sharing sharing, Deadline deadline) {
    if (!waits_may_be_endless.load(std::memory_order_relaxed) || !deadline.is_never()) return;
    if ((sharing == Sharing::processes && !no_other_process) || platform::running_threads() > 1) return;
    throw UsageError(
        "this wait would never end: the program is ending, its daemon threads are halted with what they "
        "hold, and no other thread or process is left to end it. Wait with a deadline, or let daemon threads "
        "end before main does");
}

constinit thread_local std::uint32_t number_of_this_thread = 0;

std::uint32_t me(Sharing sharing) {
    if (sharing == Sharing::processes) return this_participant();
    // A number of our own: the system's changes in a forked copy.
    if (number_of_this_thread == 0)
        number_of_this_thread = threads_numbered.fetch_add(1) % ((1U << 30) - 1) + 1;
    return number_of_this_thread;
}

void Bell::ring_all(Sharing sharing) noexcept {
    if (!is_marked()) return;
    word_.exchange(0);
    wake(sharing, word_, UINT_MAX);
}

void Bell::wake_sleepers(Sharing sharing, std::uint32_t most) noexcept {
    if (wake(sharing, word_, most) != 0) return;
    // No sleeper: the mark was left by a dead waiter, or by one that needed no sleep. A waiter that
    // came meanwhile marks it again.
    word_.exchange(0);
    wake(sharing, word_, UINT_MAX);
}

bool sleep(Sharing sharing, const Word& watched, std::uint32_t seen, const Bell& bell, Deadline deadline,
           std::span<const ParticipantId> watched_participants) {
    require_possible_waker(sharing, deadline);
    std::array<platform::WordHolds, platform::most_words_to_wait_on> words;
    // The watched word comes last: the kernel begins to wait on each as it goes. If a waker changes the
    // word and is killed before it rings, the kernel must find the sleeper on the bell already.
    words[0] = {&bell.word(), Bell::marked};
    std::size_t count = 1;
    for (const ParticipantId id : watched_participants) {
        if (count + 1 == words.size()) break;
        const auto life = watch(id, As::waiter);
        if (!life) return true;
        words[count++] = *life;
    }
    words[count++] = {&watched, seen};
    const auto waited = std::span(words).first(count);
    return sharing == Sharing::processes ? platform::shared_futex_wait_on_all(waited, deadline)
                                         : platform::futex_wait_on_all(waited, deadline);
}

}  // namespace chorus::inline v0::detail::sync
