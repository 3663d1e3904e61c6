// Waiting for a change of a word, and telling of one: the same for threads and for processes.
//
// The waker changes the watched word (that is the change: one store), then rings the bell. The waiter
// marks the bell, looks once more, and sleeps while the word and the bell hold what they held.
//
// Crash safety: between processes either may be killed at any instant:
//   - between the change and the ringing: the kernel wakes one sleeper on the bell (WakesAtDeath); a
//     waiter that is about to sleep finds the word changed;
//   - when woken, before anything came of it: the same, since the waiter is under WakesAtDeath too,
//     until it has passed on what there is to pass on;
//   - asleep: the mark stays, which costs one ringing that wakes no thread.
//
// Orders: the change and the look at the bell are sequentially consistent, and so are the mark and the second
// look, so that one of the two sees what the other did. One of the second look and the kernel's own, at the
// watched word, suffices. What the dead wrote is seen by those whom the kernel wakes in their place: it does
// so after their last store, behind a barrier. tests/model runs this on a weakly ordered machine.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>

#include <chorus/deadline.hpp>
#include <chorus/detail/sharing.hpp>
#include "platform/look.hpp"
#include "platform/robust_mutex.hpp"
#include "sync/liveness.hpp"
#include "trace/trace.hpp"

namespace chorus::inline v0::detail::sync {

using Word = std::atomic<std::uint32_t>;

/// Names the calling thread in words of objects of this sharing. Never 0, never above 30 bits.
std::uint32_t me(Sharing sharing);

/// Called at the program's end, when its daemon threads are halted: from now on a wait without a
/// deadline is refused where no other thread or process is left to end it. `is_last_process`: there is
/// no parent, and all children have been joined.
void refuse_endless_waits(bool is_last_process) noexcept;
/// In a copy of the process: it is not ending.
void allow_endless_waits() noexcept;
/// Throws: UsageError if a wait for an object of this sharing could never end.
void require_possible_waker(Sharing sharing, Deadline deadline);

/// Where sleepers are woken. The mark says that there are some, or may be.
class Bell {
public:
    static constexpr std::uint32_t marked = 1U << 31;

    /// Tells the sleepers that the watched word has changed.
    void ring_all(Sharing sharing) noexcept;
    /// Wakes at most `most` sleepers.
    void ring(Sharing sharing, std::uint32_t most) noexcept {
        if (is_marked()) wake_sleepers(sharing, most);
    }
    bool is_marked() const noexcept { return (word_.load() & marked) != 0; }
    /// Exactly so, whatever stood there: a sleeper on the bell sleeps on this value.
    void mark() noexcept {
        if (word_.load() != marked) word_.exchange(marked);
    }
    const Word& word() const noexcept { return word_; }

private:
    void wake_sleepers(Sharing sharing, std::uint32_t most) noexcept;

    Word word_{0};
};

/// Sleeps while the watched word and the marked bell stay as they are and the watched participants
/// live. Returns false when the deadline passed; may return early.
bool sleep(Sharing sharing, const Word& watched, std::uint32_t seen, const Bell& bell, Deadline deadline,
           std::span<const ParticipantId> watched_participants = {});

/// Before going to sleep.
template <class Attempt>
bool spin_until(Attempt&& attempt) {
    platform::Look look;
    do {
        if (attempt()) return true;
    } while (look.again());
    return false;
}

/// The death of this thread wakes one sleeper on the bell; for threads nothing.
class TellsInDeath {
public:
    TellsInDeath(Sharing sharing, const Word& word) {
        if (sharing == Sharing::processes) pending_.emplace(word);
    }

private:
    std::optional<platform::WakesAtDeath> pending_;
};

/// Waits until the attempt succeeds. `pass_on` runs when it did after sleeping: it rings for others where
/// there is enough for them too. `call` is what a trace names the wait by. Returns false when the deadline
/// passed.
template <class Attempt, class PassOn>
bool wait_until(const char* call, Sharing sharing, const Word& watched, Bell& bell, Deadline deadline,
                Attempt&& attempt, PassOn&& pass_on) {
    if (attempt()) return true;
    if (deadline.has_passed()) return false;
    if (spin_until(attempt)) return true;
    trace::Wait wait(call);
    const TellsInDeath pending(sharing, bell.word());
    for (;;) {
        const std::uint32_t seen = watched.load();
        bell.mark();
        if (attempt()) break;
        wait.begins();
        if (!sleep(sharing, watched, seen, bell, deadline)) {
            if (attempt()) break;
            return false;
        }
    }
    pass_on();
    return true;
}

}  // namespace chorus::inline v0::detail::sync
