#include "sync/lock_state.hpp"

#include <array>
#include <string>

#include "platform/process_id.hpp"

namespace chorus::inline v0::detail::sync {

void LockState::initialise(Sharing sharing, bool recursive) {
    sharing_ = memory::Fixed(sharing);
    recursive_ = memory::Fixed<std::uint32_t>(recursive ? 1 : 0);
}

LockState::Taken LockState::take_slowly(Deadline deadline, const char* call) {
    if (!sharing_.is_whole()) return Taken::damaged;
    const Sharing sharing = this->sharing();
    const std::uint32_t self = me(sharing);
    Taken how{};
    if (take_at_once(sharing, self, 0, how)) return how;
    if (deadline.has_passed()) return Taken::not_in_time;
    // Long enough for an owner that holds it for a moment on another CPU.
    for (platform::Look look(std::chrono::microseconds(2)); look.again();) {  // only a look: taking orders
        if ((word_.load(std::memory_order_relaxed) & owner_mask) == no_participant &&
            take_at_once(sharing, self, 0, how))
            return how;
    }
    return take_after_sleep(sharing, self, deadline, call);
}

// If it is free, or its owner has died.
bool LockState::take_at_once(Sharing sharing, std::uint32_t self, std::uint32_t flags, Taken& how) noexcept {
    std::uint32_t value = word_.load();
    for (;;) {
        const std::uint32_t owner = value & owner_mask;
        if (owner != no_participant && sharing == Sharing::processes && !is_participant(owner)) {
            how = Taken::damaged;
            return true;
        }
        const bool inherited = owner != no_participant && sharing == Sharing::processes && is_dead(owner);
        if (owner != no_participant && !inherited) return false;
        const std::uint32_t taken =
            self | flags | (value & (suspect | waited_for)) | (inherited ? suspect : 0);
        if (word_.compare_exchange_weak(value, taken)) {
            if (inherited) died_ = owner;
            how = (taken & suspect) != 0 ? Taken::after_owner_died : Taken::cleanly;
            return true;
        }
    }
}

namespace {

// The place at the head of the sleepers; threads do without.
class Head {
public:
    Head(Sharing sharing, platform::RobustMutex& queue, Deadline deadline)
        : queue_(sharing == Sharing::processes ? &queue : nullptr) {
        if (queue_ != nullptr && !queue_->lock(deadline)) {
            queue_ = nullptr;
            in_time_ = false;
        }
    }
    ~Head() {
        if (queue_ != nullptr) queue_->unlock();
    }
    Head(const Head&) = delete;
    Head& operator=(const Head&) = delete;
    bool in_time() const noexcept { return in_time_; }

private:
    platform::RobustMutex* queue_;
    bool in_time_ = true;
};

}  // namespace

// By a thread of this process.
bool LockState::is_held_here(Sharing sharing) const noexcept {
    const std::uint32_t owner = word_.load() & owner_mask;
    return sharing == Sharing::processes && owner != no_participant && !is_dead(owner) &&
           participant_of(owner).pid == platform::process_id();
}

LockState::Taken LockState::take_after_sleep(Sharing sharing, std::uint32_t self, Deadline deadline,
                                             const char* call) {
    require_possible_waker(is_held_here(sharing) ? Sharing::threads : sharing, deadline);
    trace::Wait wait(call);
    wait.begins();
    const Head head(sharing, queue_, deadline);
    if (!head.in_time()) return Taken::not_in_time;
    // Among threads others may sleep on the word too, so the next owner must wake them later.
    const std::uint32_t flags = sharing == Sharing::threads ? waited_for : 0;
    Taken how{};
    for (;;) {
        if (take_at_once(sharing, self, flags, how)) return how;
        std::uint32_t value = word_.load();
        if ((value & owner_mask) == no_participant) continue;
        if ((value & waited_for) == 0 && !word_.compare_exchange_weak(value, value | waited_for)) continue;
        value |= waited_for;
        if (sharing == Sharing::threads) {
            if (!platform::futex_wait(word_, value, deadline))
                return take_at_once(sharing, self, flags, how) ? how : Taken::not_in_time;
            continue;
        }
        const auto holder = watch(value & owner_mask, As::holder);
        if (!holder) continue;  // dead
        // Others may sleep on the same life, for other locks, and the system wakes one of them: that one
        // wakes the rest, and if it is killed before, the system wakes the next.
        const platform::WakesAtDeath handed_on(*holder->word);
        const std::array<platform::WordHolds, 2> words{{{&word_, value}, *holder}};
        const bool in_time = platform::shared_futex_wait_on_all(words, deadline);
        if (holder->word->load() != holder->value) platform::shared_futex_wake_all(*holder->word);
        if (!in_time) return take_at_once(sharing, self, flags, how) ? how : Taken::not_in_time;
    }
}

bool LockState::give_back_slowly() noexcept {
    std::uint32_t value = word_.load(std::memory_order_relaxed);  // the exchange finds out if it is old
    if (sharing_.get_or(Sharing::processes) == Sharing::threads) {
        do {
            if ((value & owner_mask) == no_participant) return false;
            // A release is enough here: the sleepers to be woken are told by this very word.
        } while (!word_.compare_exchange_weak(value, value & suspect, std::memory_order_release,
                                              std::memory_order_relaxed));
        if ((value & waited_for) != 0) platform::futex_wake(word_, 1);
        return true;
    }
    const platform::WakesAtDeath pending(word_);
    do {
        if ((value & owner_mask) == no_participant) return false;
        // That there is a waiter is kept: if this thread is killed here and another one takes the lock
        // at this instant, it wakes the waiter.
    } while (!word_.compare_exchange_weak(value, value & (suspect | waited_for)));
    if ((value & waited_for) == 0 || platform::shared_futex_wake(word_, 1) != 0) return true;
    value = (value & suspect) | waited_for;
    word_.compare_exchange_strong(
        value, value & suspect);  // no thread slept; if the lock is taken by now, its owner finds out
    return true;
}

void tell_of_damage(const LockState& lock) {
    lock.sharing();
    memory::throw_damaged("the lock", "it is said to be held by number " + std::to_string(lock.owner()) +
                                          ", which no participant ever had");
}

}  // namespace chorus::inline v0::detail::sync
