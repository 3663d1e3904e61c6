#include <chorus/platform/robust_mutex.hpp>

#include <cerrno>
#include <new>

#include <chorus/platform/syscall.hpp>

#include <pthread.h>

namespace chorus::platform {
namespace {

pthread_mutex_t* system_mutex(std::byte* state) { return std::launder(reinterpret_cast<pthread_mutex_t*>(state)); }

}  // namespace

static_assert(sizeof(pthread_mutex_t) <= 64);

void RobustMutex::initialise() {
    pthread_mutexattr_t attributes;
    ::pthread_mutexattr_init(&attributes);
    ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    ::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    const int code = ::pthread_mutex_init(new (state_) pthread_mutex_t, &attributes);
    ::pthread_mutexattr_destroy(&attributes);
    if (code != 0) throw os_error("make a shared lock", code);
}

RobustMutex::Locked RobustMutex::lock() noexcept {
    if (::pthread_mutex_lock(system_mutex(state_)) != EOWNERDEAD) return Locked::cleanly;
    ::pthread_mutex_consistent(system_mutex(state_));
    return Locked::after_owner_died;
}

void RobustMutex::unlock() noexcept { ::pthread_mutex_unlock(system_mutex(state_)); }

}  // namespace chorus::platform
