#include "platform/fork_mutex.hpp"

#include <atomic>

#include <pthread.h>

namespace chorus::inline v0::detail::platform {
namespace {

// All mutexes, newest first. The list has no lock of its own, because mutexes are made at any time,
// also while others are held.
constinit std::atomic<ForkMutex*> newest{nullptr};
// Those that the current fork has locked. Written by the forking thread, which holds them.
ForkMutex* locked = nullptr;

}  // namespace

void ForkMutex::lock_all() {
    ForkMutex* const first = newest.load();
    for (const Rank rank : {Rank::outer, Rank::inner}) {
        for (ForkMutex* each = first; each != nullptr; each = each->older_) {
            if (each->rank_ == rank) each->lock();
        }
    }
    locked = first;
}

void ForkMutex::unlock_all() {
    for (ForkMutex* each = locked; each != nullptr; each = each->older_) each->unlock();
}

ForkMutex::ForkMutex(Rank rank) : rank_(rank) {
    [[maybe_unused]] static const int registered = ::pthread_atfork(lock_all, unlock_all, unlock_all);
    older_ = newest.load();
    while (!newest.compare_exchange_weak(older_, this)) {
    }
}

}  // namespace chorus::inline v0::detail::platform
