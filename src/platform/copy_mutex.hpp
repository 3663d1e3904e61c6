// A mutex of handles that is always free in a copy of the process.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

namespace chorus::inline v0::detail::platform {

/// As std::mutex. Where another thread held it when fork() copied the process, that thread is not in
/// the copy: there the mutex is made anew at its first use. What it guards is found as it was at that
/// instant, maybe half changed, so that has to be harmless; where it is not, ForkMutex is to be used,
/// of which there are few, and which are never destroyed.
///
/// Invariant: the process that first locks it after a fork moves `used_in_` from the number of another
/// copy to that of its own, by way of an odd value while the mutex is being made.
class CopyMutex {
public:
    CopyMutex() noexcept : used_in_(2 * copies_made) {}
    CopyMutex(const CopyMutex&) = delete;
    CopyMutex& operator=(const CopyMutex&) = delete;

    void lock() {
        if (used_in_.load(std::memory_order_acquire) != 2 * copies_made) [[unlikely]]
            make_anew();
        mutex_.lock();
    }
    void unlock() { mutex_.unlock(); }

private:
    /// By how many forks this process came about.
    static constinit std::uint64_t copies_made;
    static const int counts_copies;

    void make_anew() noexcept;

    std::atomic<std::uint64_t> used_in_;
    std::mutex mutex_;
};

}  // namespace chorus::inline v0::detail::platform
