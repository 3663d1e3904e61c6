#include <chorus/platform/robust_mutex.hpp>

#include <new>

#include <chorus/platform/futex.hpp>
#include <chorus/platform/syscall.hpp>

#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace chorus::platform {
namespace {

static_assert(sizeof(pthread_mutex_t) <= sizeof(RobustMutex));

pthread_mutex_t* system_mutex(std::byte* state) { return std::launder(reinterpret_cast<pthread_mutex_t*>(state)); }

}  // namespace

void RobustMutex::initialise() {
    pthread_mutexattr_t attributes;
    ::pthread_mutexattr_init(&attributes);
    ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    ::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    const int code = ::pthread_mutex_init(new (state_) pthread_mutex_t, &attributes);
    ::pthread_mutexattr_destroy(&attributes);
    if (code != 0) throw os_error("make a shared lock", code);
}

RobustMutex::Locked RobustMutex::lock(Deadline deadline) noexcept {
    auto* const mutex = system_mutex(state_);
    int code = ::pthread_mutex_trylock(mutex);
    if (code == EBUSY) {
        if (deadline.is_never()) {
            code = ::pthread_mutex_lock(mutex);
        } else {
            const auto until = deadline.when().time_since_epoch();
            if (deadline.has_passed()) return Locked::not_in_time;
            const timespec time{static_cast<time_t>(until.count() / 1'000'000'000), static_cast<long>(until.count() % 1'000'000'000)};
            code = ::pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &time);
        }
    }
    if (code == EOWNERDEAD) {
        ::pthread_mutex_consistent(mutex);
        return Locked::after_owner_died;
    }
    return code == 0 ? Locked::cleanly : Locked::not_in_time;
}

void RobustMutex::unlock() noexcept { ::pthread_mutex_unlock(system_mutex(state_)); }

// The first member of the C library's mutex is the word that it shares with the kernel: the number of the
// thread that holds it, and two flags.
std::atomic<std::uint32_t>& RobustMutex::own_word() noexcept { return *std::launder(reinterpret_cast<std::atomic<std::uint32_t>*>(state_)); }
const std::atomic<std::uint32_t>& RobustMutex::word() const noexcept { return const_cast<RobustMutex*>(this)->own_word(); }

bool RobustMutex::is_held() const noexcept { return (word().load() & FUTEX_TID_MASK) != 0; }

std::optional<std::uint32_t> RobustMutex::watch() noexcept {
    auto& word = own_word();
    std::uint32_t value = word.load();
    for (;;) {
        if ((value & FUTEX_TID_MASK) == 0) return std::nullopt;
        if ((value & FUTEX_WAITERS) != 0) return value;
        if (word.compare_exchange_weak(value, value | FUTEX_WAITERS)) return value | FUTEX_WAITERS;
    }
}

void RobustMutex::dismiss_watchers() noexcept {
    if ((own_word().fetch_and(~static_cast<std::uint32_t>(FUTEX_WAITERS)) & FUTEX_WAITERS) != 0) shared_futex_wake_all(own_word());
}

constinit thread_local WakesAtDeath::Promise WakesAtDeath::promise{};

// The kernel's record of what this thread holds. The C library registered it; here only its field for the
// operation under way is used, as the C library itself does while it locks.
WakesAtDeath::Promise WakesAtDeath::look_up() noexcept {
    robust_list_head* record = nullptr;
    std::size_t size = 0;
    ::syscall(SYS_get_robust_list, 0, &record, &size);
    return {reinterpret_cast<void**>(&record->list_op_pending), record->futex_offset};
}

}  // namespace chorus::platform
