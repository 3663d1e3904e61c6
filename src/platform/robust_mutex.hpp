// What the system does for the living when a thread dies: a lock it takes back, a sleeper it wakes.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <chorus/deadline.hpp>

namespace chorus::inline v0::detail::platform {

/// Throws OsError where the kernel does not tell this thread the list of what it holds, or a sandbox refuses
/// it: then no death could be noticed.
void require_robust_list();

/// A lock in shared memory that the system takes back from the dead, and in which no death leaves a sleeper
/// asleep. Nothing is believed that lies there: a holder that does not exist counts as dead.
///
/// Layout: a word, and at the system's distance from it what the system needs to find it; all zero: free.
/// Writers: whoever locks it; the kernel marks the owner dead.
class RobustMutex {
public:
    /// Also from the dead. Returns false if the deadline passed first.
    bool lock(Deadline deadline = {}) noexcept;
    void unlock() noexcept;

private:
    bool take_if_free(std::uint32_t self) noexcept;

    alignas(8) std::atomic<std::uint32_t> word_{0};
    [[maybe_unused]] std::byte for_the_system_[36]{};  ///< written, never read
};
static_assert(sizeof(RobustMutex) == 40);

/// While one lives in a thread, the death of that thread wakes one sleeper on the word: it can hand on, even
/// in death, what it was about to tell. Requires: once there is something to tell, the low 30 bits of the
/// word are 0, and at no time are they this thread's number. May be nested; the innermost one counts.
class WakesAtDeath {
public:
    explicit WakesAtDeath(const std::atomic<std::uint32_t>& word) noexcept {
        if (promise.word == nullptr) [[unlikely]]
            promise = look_up();
        before_ = *promise.word;
        set(const_cast<char*>(reinterpret_cast<const char*>(&word)) - promise.offset);
    }
    ~WakesAtDeath() { set(before_); }
    WakesAtDeath(const WakesAtDeath&) = delete;
    WakesAtDeath& operator=(const WakesAtDeath&) = delete;

private:
    /// Where the kernel looks when the thread dies, and how far from what it finds there the word is.
    struct Promise {
        void* volatile* word = nullptr;
        std::ptrdiff_t offset = 0;
    };
    static Promise look_up() noexcept;

    // The kernel reads it when this very thread is dead: only the compiler could reorder.
    static void set(void* entry) noexcept {
        std::atomic_signal_fence(std::memory_order_seq_cst);
        *promise.word = entry;
        std::atomic_signal_fence(std::memory_order_seq_cst);
    }

    static constinit thread_local Promise promise;
    void* before_;
};

}  // namespace chorus::inline v0::detail::platform
