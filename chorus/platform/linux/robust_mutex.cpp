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

pthread_mutex_t* system_mutex(std::byte* state) {
    return std::launder(reinterpret_cast<pthread_mutex_t*>(state));
}

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

bool RobustMutex::try_lock() noexcept {
    auto* const mutex = system_mutex(state_);
    const int code = ::pthread_mutex_trylock(mutex);
    if (code == EOWNERDEAD) ::pthread_mutex_consistent(mutex);
    return code == 0 || code == EOWNERDEAD;
}

// The C library's own way of waiting can leave a sleeper asleep for ever. It lets go of the lock by clearing
// the word, the flag for sleepers too, and wakes one of them, who is to set the flag again for the rest. If
// that one is killed before, and a third takes the lock meanwhile, the third finds no flag and wakes nobody
// when it lets go or dies; the kernel helps only where nobody holds the lock.
//
// So here the flag is never lost: a free lock is first marked as one whose owner has died and that has
// sleepers, which whoever takes it takes over with the flag. Each who lets go, or dies, has one sleeper
// woken; and whoever is killed between being woken and taking the lock either finds it free, and the kernel
// wakes the next, or somebody holds it who will.
bool RobustMutex::lock(Deadline deadline) noexcept {
    constexpr std::uint32_t free_with_sleepers = FUTEX_OWNER_DIED | FUTEX_WAITERS;
    auto& word = own_word();
    for (;;) {
        std::uint32_t value = 0;
        {
            const WakesAtDeath the_next(word);
            word.compare_exchange_strong(value, free_with_sleepers);
            if (try_lock()) return true;
        }
        value = word.load();
        if ((value & FUTEX_TID_MASK) == 0) continue;
        if ((value & FUTEX_WAITERS) == 0 && !word.compare_exchange_strong(value, value | FUTEX_WAITERS))
            continue;
        const WakesAtDeath the_next(word);  // anew: the C library has made its own use of the same record
        if (!shared_futex_wait(word, value | FUTEX_WAITERS, deadline) && deadline.has_passed()) return false;
    }
}

void RobustMutex::unlock() noexcept { ::pthread_mutex_unlock(system_mutex(state_)); }

// The first member of the C library's mutex is the word that it shares with the kernel: the number of the
// thread that holds it, and two flags.
std::atomic<std::uint32_t>& RobustMutex::own_word() noexcept {
    return *std::launder(reinterpret_cast<std::atomic<std::uint32_t>*>(state_));
}
const std::atomic<std::uint32_t>& RobustMutex::word() const noexcept {
    return const_cast<RobustMutex*>(this)->own_word();
}

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
    if ((own_word().fetch_and(~static_cast<std::uint32_t>(FUTEX_WAITERS)) & FUTEX_WAITERS) != 0)
        shared_futex_wake_all(own_word());
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
