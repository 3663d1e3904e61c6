// Robust mutexes: when a thread dies, the kernel releases its lock and wakes a sleeper.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <chorus/deadline.hpp>

namespace chorus::inline v0::detail::platform {

/// Throws: OsError if the kernel or a sandbox refuses this thread its robust list: then no death could
/// be detected.
void require_robust_list();

/// A robust mutex in shared memory. The kernel releases it when its owner dies, and no death leaves a
/// sleeper asleep. The memory is not trusted: an owner that does not exist counts as dead.
///
/// Layout: a word, and at the kernel's fixed distance the pointers by which the kernel finds it; all
/// zero: free.
/// Writers: the threads that lock it; the kernel marks the owner dead.
class RobustMutex {
public:
    /// Also takes it over from a dead owner. Returns false if the deadline passes first.
    bool lock(Deadline deadline = {}) noexcept;
    void unlock() noexcept;

private:
    bool take_if_free(std::uint32_t self) noexcept;

    alignas(8) std::atomic<std::uint32_t> word_{0};
    [[maybe_unused]] std::byte for_the_system_[36]{};  ///< written, never read
};
static_assert(sizeof(RobustMutex) == 40);

/// While an object exists in a thread, the death of that thread wakes one sleeper on the word: a
/// wake-up that the thread owes is not lost by its death. Requires: once there is a wake-up to send,
/// the low 30 bits of the word are 0, and at no time are they this thread's number. May be nested; the
/// innermost object counts.
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
    /// The field that the kernel reads when the thread dies, and the distance of the word from the
    /// address there.
    struct Promise {
        void* volatile* word = nullptr;
        std::ptrdiff_t offset = 0;
    };
    static Promise look_up() noexcept;

    // The kernel reads it after the death of this thread: only the compiler could reorder.
    static void set(void* entry) noexcept {
        std::atomic_signal_fence(std::memory_order_seq_cst);
        *promise.word = entry;
        std::atomic_signal_fence(std::memory_order_seq_cst);
    }

    static constinit thread_local Promise promise;
    void* before_;
};

}  // namespace chorus::inline v0::detail::platform
