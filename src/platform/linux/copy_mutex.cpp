#include "platform/copy_mutex.hpp"

#include <new>

#include <pthread.h>
#include <sched.h>

namespace chorus::inline v0::detail::platform {

constinit std::uint64_t CopyMutex::copies_made = 0;

void CopyMutex::make_anew() noexcept {
    const std::uint64_t here = 2 * copies_made;
    std::uint64_t seen = used_in_.load();
    while (seen != here) {
        if (seen == here + 1) {
            ::sched_yield();  // another thread of this process makes the mutex anew
            seen = used_in_.load();
        } else if (used_in_.compare_exchange_weak(seen, here + 1)) {
            new (&mutex_) std::mutex;
            used_in_.store(here, std::memory_order_release);
            return;
        }
    }
}

// Before main, and therefore before every other at-fork handler, which may lock such mutexes.
const int CopyMutex::counts_copies = ::pthread_atfork(nullptr, nullptr, [] { ++copies_made; });

}  // namespace chorus::inline v0::detail::platform
