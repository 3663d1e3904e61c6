// The quick way of a lock: to take one that is free, and to give it back while nobody waits for it, is one
// instruction each. All else is LockState's.
//
// The word says who holds the lock (0: nobody), whether the last holder died and nobody has said that all is
// well again (suspect), and whether somebody sleeps (waited for): the two highest bits.
//
// Memory orders, for machines that reorder; tests/model runs them there and finds each one weakened:
//   O1. Taking is an acquire and giving back a release, so a holder sees what those before it wrote. An
//       attempt that fails orders nothing: the caller goes the slow way, and looks again.
//   O2. Giving back is sequentially consistent, not a release only: a look at a bell that follows it in the
//       program is not made before it (channel/held_side.hpp, O4).
//   O3. A dead holder gives nothing back. The kernel marks its life after its last store, with a full
//       barrier; the next owner has seen that mark in a sequentially consistent load.
//
// Threads: anybody's who can see the word.
// Death: between processes the word of a dead holder stays as it is; who finds it there takes the lock from
//        the dead.
#pragma once

#include <chorus/detail/contract.hpp>

#include <atomic>
#include <cstdint>

#include <chorus/detail/sharing.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::detail::sync {

/// The calling thread among the threads of its process, and among all lives that share objects; 0: it has
/// none yet.
extern constinit thread_local std::uint32_t number_of_this_thread;
extern constinit thread_local std::uint32_t participant_of_this_thread;

template <Sharing sharing>
inline std::uint32_t known_name() noexcept {
    return sharing == Sharing::threads ? number_of_this_thread : participant_of_this_thread;
}

class LockState;

class LockWord {
public:
    /// Returns false if the lock is not free, or whoever asks has no name yet.
    bool take_if_free(std::uint32_t self) noexcept {
        std::uint32_t free = 0;
        return self != 0 && word_.compare_exchange_strong(free, self, std::memory_order_acquire,
                                                          std::memory_order_relaxed);
    }
    /// Returns false if the caller does not hold it, or there is more to do than to give it back.
    bool give_back_if_unwanted(std::uint32_t self) noexcept {
        std::uint32_t held = self;
        return self != 0 &&
               word_.compare_exchange_strong(held, 0, std::memory_order_seq_cst, std::memory_order_relaxed);
    }

protected:
    constexpr LockWord() = default;
    constexpr explicit LockWord(std::uint32_t word) noexcept : word_(word) {}
    ~LockWord() = default;
    std::atomic<std::uint32_t> word_{0};
};

/// The word of a handle that was moved from: no caller acquires it, so the uncontended case needs no check
/// for an empty handle.
struct NoLock final : LockWord {
    constexpr NoLock() noexcept : LockWord(~0U) {}
};
extern constinit NoLock no_lock;

LockWord& word_of(LockState& state) noexcept;

}  // namespace chorus::inline v0::detail::sync

#pragma GCC visibility pop
