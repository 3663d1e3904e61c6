// The quick path of a lock: to take one that is free, and to give it back while no caller waits for it,
// is one instruction each. All else is LockState's.
//
// The word says which thread owns the lock (0: none), whether the last owner died and the data has not
// been declared whole since (suspect), and whether a caller sleeps (waited for): the two highest bits.
//
// Memory orders, for machines that reorder; tests/model runs them there and finds each one weakened:
//   O1. Taking is an acquire and giving back a release, so an owner sees what those before it wrote. An
//       attempt that fails orders nothing: the caller takes the slow path, and looks again.
//   O2. Giving back is sequentially consistent, not a release only: a look at a bell that follows it in the
//       program is not made before it (channel/held_side.hpp, O4).
//   O3. A dead owner gives nothing back. The kernel marks its participant after its last store, with a
//       full barrier; the next owner has seen that mark in a sequentially consistent load.
//
// Thread safety: any thread that can see the word may make any call.
// Crash safety: between processes the word of a dead owner stays as it is; the caller that finds it
// there takes the lock from the dead.
#pragma once

#include <chorus/detail/contract.hpp>

#include <atomic>
#include <cstdint>

#include <chorus/detail/sharing.hpp>

namespace chorus::inline v0::detail::sync {
class LockState;
}

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::detail::sync {

/// The calling thread among the threads of its process, and among all participants that share objects;
/// 0: it has none yet.
extern constinit thread_local std::uint32_t number_of_this_thread;
extern constinit thread_local std::uint32_t participant_of_this_thread;

template <Sharing sharing>
inline std::uint32_t known_name() noexcept {
    return sharing == Sharing::threads ? number_of_this_thread : participant_of_this_thread;
}

class LockWord {
public:
    /// Returns false if the lock is not free, or the caller has no name yet.
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
