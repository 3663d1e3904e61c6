#include "platform/robust_mutex.hpp"

#include "platform/futex.hpp"
#include "platform/linux/robust_list.hpp"
#include "platform/os_thread.hpp"
#include "platform/process_id.hpp"
#include "platform/syscall.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace chorus::inline v0::detail::platform {

void require_robust_list() {
    robust_list_head* record = nullptr;
    std::size_t size = 0;
    if (::syscall(SYS_get_robust_list, 0, &record, &size) != 0)
        throw missing_call("get_robust_list", "2.6.17", errno);
    // The C library has registered none, because the kernel refused it.
    if (record == nullptr) throw missing_call("set_robust_list", "2.6.17", ENOSYS);
}

bool RobustMutex::take_if_free(std::uint32_t self) noexcept {
    std::uint32_t value = word_.load();
    while ((value & FUTEX_TID_MASK) == 0) {
        if (!word_.compare_exchange_weak(value, self | (value & FUTEX_WAITERS))) continue;
        list_as_shared(word_);
        return true;
    }
    return false;
}

// Why not the C library's robust mutex: it keeps pointers in the shared memory and follows them, and it
// can leave a sleeper asleep indefinitely. It releases the lock by clearing the word with its flag for
// sleepers, and wakes one sleeper, which has to set the flag again for the rest. If that sleeper is
// killed first, and a third thread takes the lock meanwhile, this thread finds no flag, and neither its
// unlock nor its death wakes a sleeper. The kernel helps only if no thread holds the lock.
//
// Invariants:
// 1. The flag for sleepers is never lost. An unlock first marks the word as one whose owner has died
//    and that has sleepers. The next owner takes the word over with the flag.
// 2. Each unlock and each death of an owner wakes one sleeper.
// 3. If a woken thread is killed before it takes the lock, either the lock is free, and the kernel
//    wakes the next sleeper, or a thread holds the lock, and its unlock or death does.
bool RobustMutex::lock(Deadline deadline) noexcept {
    constexpr std::uint32_t free_with_sleepers = FUTEX_OWNER_DIED | FUTEX_WAITERS;
    const auto self = static_cast<std::uint32_t>(thread_id());
    for (;;) {
        std::uint32_t value = 0;
        {
            const WakesAtDeath the_next(word_);
            word_.compare_exchange_strong(value, free_with_sleepers);
            if (take_if_free(self)) return true;
        }
        value = word_.load();
        const std::uint32_t holder = value & FUTEX_TID_MASK;
        if (holder == 0) continue;
        // The kernel would have marked a dead owner: a stray write has changed the word.
        if (holder == self || !process_exists(static_cast<int>(holder))) {
            word_.compare_exchange_strong(value, free_with_sleepers);
            continue;
        }
        if ((value & FUTEX_WAITERS) == 0 && !word_.compare_exchange_strong(value, value | FUTEX_WAITERS))
            continue;
        const WakesAtDeath the_next(word_);
        if (!shared_futex_wait(word_, value | FUTEX_WAITERS, deadline) && deadline.has_passed()) return false;
    }
}

void RobustMutex::unlock() noexcept {
    const WakesAtDeath the_next(word_);
    unlist_shared(word_);
    if ((word_.exchange(0) & FUTEX_WAITERS) != 0) shared_futex_wake(word_, 1);
}

constinit thread_local WakesAtDeath::Promise WakesAtDeath::promise{};

namespace {
// The field for a promise that the kernel does not read.
constinit thread_local void* volatile promise_of_nothing = nullptr;
}  // namespace

// The kernel's record of this thread's locks. The C library registered it. Only its field for the
// pending operation is used here, as the C library itself does while it locks.
WakesAtDeath::Promise WakesAtDeath::look_up() noexcept {
    robust_list_head* record = nullptr;
    std::size_t size = 0;
    ::syscall(SYS_get_robust_list, 0, &record, &size);
    if (record == nullptr) return {&promise_of_nothing, 0};  // see require_robust_list()
    return {reinterpret_cast<void**>(&record->list_op_pending), record->futex_offset};
}

}  // namespace chorus::inline v0::detail::platform
