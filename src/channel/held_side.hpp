// The lock of one side of a queue, held for a scope, and the commit that is made under it.
//
// Invariants:
//   - A side's lock is given back on all paths: by HeldSide, or by the Putting or Getting that it was
//     handed over to.
//   - If its owner dies, the next owner recovers the side before it does anything else. Messages that
//     the dead owner added lie behind the index: they are not in the queue, and need no rollback.
//   - If recovery fails, the lock stays suspect: the next owner recovers the side again.
//
// Memory orders O1, O2 and O4 (all five: channel/queue_core.hpp):
//   O1. A word that is written only under a side's lock is read relaxed by the owner of that lock.
//       Taking the lock is an acquire of the word that giving it back released. If the owner has died:
//       the kernel marks its participant after its last store, with a full barrier, and taking the lock
//       from it begins with a sequentially consistent load of that mark (sync::is_dead).
//   O2. The index is stored as a release by its side and loaded as an acquire by the other. A consumer
//       that sees a put's index sees the message in front of it; a producer that sees a get's index
//       writes to the place only after it was read. A message without its index is not in the queue,
//       whichever of its stores are visible.
//   O4. Commit, give back the lock, look at the other side's bell: against mark the bell, look at the
//       index, sleep. The commit is a release only; the lock is given back by an atomic exchange, and
//       the look is a sequentially consistent load, which ARMv8 does not make before a releasing store
//       in front of it. (C++ promises that only where the commit itself is sequentially consistent,
//       which costs x86 a second locked instruction.) Besides, the sleeper sleeps on the index's own
//       word.
#pragma once

#include <atomic>

#include <chorus/deadline.hpp>
#include "channel/open_queue.hpp"
#include "platform/robust_mutex.hpp"
#include "sync/liveness.hpp"

namespace chorus::inline v0::detail::channel {

/// O1: of a word that is written under the lock of a side. Requires: the caller holds that lock.
template <class T>
T under_lock(const std::atomic<T>& word) noexcept {
    return word.load(std::memory_order_relaxed);
}

/// O2: how far the other side has come.
inline Index committed(const Side& other) noexcept { return other.index.load(std::memory_order_acquire); }

/// How long a call that must not wait lets another one finish what it does under the lock.
inline constexpr std::chrono::milliseconds grace{10};

class HeldSide {
public:
    /// Acquires the side's lock, and recovers the side if the last owner has died; false if the
    /// deadline passes first. Throws: Damaged, OsError.
    HeldSide(const OpenQueue& queue, Side& side, Deadline deadline);
    /// Takes over a lock that the caller holds.
    explicit HeldSide(Side& side) noexcept : held_(&side) {}
    ~HeldSide() {
        if (held_ != nullptr) held_->lock.give_back();
    }
    HeldSide(const HeldSide&) = delete;
    HeldSide& operator=(const HeldSide&) = delete;

    explicit operator bool() const noexcept { return held_ != nullptr; }
    /// The caller gives the lock back from here on, or has done so by a commit.
    void hand_over() noexcept { held_ = nullptr; }

private:
    HeldSide() noexcept : held_(nullptr) {}
    Side* held_;
};

/// Commits, gives the lock back, and wakes a waiter on the other side. The kernel is told before the
/// commit which waiter to wake if this thread is killed. Requires: the side's lock is held.
inline void commit_and_give_back(Side& side, Side& other, Index index) noexcept {
    const platform::WakesAtDeath pending(other.bell.word());
    side.index.store(index, std::memory_order_release);  // O2, O4
    if (side.lock.give_back_if_unwanted(sync::this_participant())) [[likely]] {
        other.bell.ring(Sharing::processes, 1);
        return;
    }
    side.index.store(index);  // once more, in the order that the exchange would have given it
    other.bell.ring(Sharing::processes, 1);
    side.lock.give_back();
}

/// Commits under the lock, which stays held.
inline void commit(Side& side, Side& other, Index index) noexcept {
    const platform::WakesAtDeath pending(other.bell.word());
    side.index.store(index);
    other.bell.ring(Sharing::processes, 1);
}

}  // namespace chorus::inline v0::detail::channel
