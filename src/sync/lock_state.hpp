// The lock that everything else stands on.
//
// One word says all (LockWord). A compare-and-swap takes it, another gives it back; any thread may give
// it back.
//
// Crash safety: between processes no caller may sleep on when the owner, or the waiter that was just
// woken, is killed. Callers that have to sleep queue at a robust mutex, which the kernel hands on from
// the dead; only the first of them sleeps on the word, and on the owner's liveness word with it. So
// there is one sleeper at most, and if that one dies the next comes and looks.
#pragma once

#include <cstdint>

#include <chorus/detail/sync/lock_word.hpp>
#include "memory/damage.hpp"
#include "sync/waiting.hpp"

namespace chorus::inline v0::detail::sync {

/// Layout: as below; in shared memory for processes. Writers: of `word` the thread that takes or gives
/// back; of `depth` the owner.
class LockState : public LockWord {
public:
    /// Before any other thread sees it.
    void initialise(Sharing sharing, bool recursive);

    /// damaged: it is not taken, and cannot be.
    enum class Taken { cleanly, after_owner_died, not_in_time, damaged };
    /// Not recursive: an owner that calls it waits for itself. `call` is what a trace names the wait
    /// by; without one the wait is not shown.
    Taken take(Deadline deadline, const char* call = nullptr) {
        if (take_if_free(known_self())) [[likely]]
            return Taken::cleanly;
        return take_slowly(deadline, call);
    }
    /// Returns false if it is free.
    bool give_back() noexcept { return give_back_if_unwanted(known_self()) || give_back_slowly(); }

    bool is_taken() const noexcept { return owner() != no_participant; }
    bool is_mine() const { return owner() == me(sharing()); }
    std::uint32_t owner() const noexcept { return word_.load() & owner_mask; }
    bool is_suspect() const noexcept { return (word_.load() & suspect) != 0; }
    /// The last owner that died with it.
    ParticipantId died() const noexcept { return died_.load(); }
    void trust_again() noexcept { word_.fetch_and(~suspect); }

    /// Throws: Damaged.
    Sharing sharing() const { return sharing_.get("the lock"); }
    bool is_recursive() const { return recursive_.get("the lock") != 0; }
    std::uint32_t depth = 0;  ///< of a recursive one

private:
    static constexpr std::uint32_t owner_mask = (1U << 30) - 1;
    static constexpr std::uint32_t suspect = 1U << 30;
    static constexpr std::uint32_t waited_for = 1U << 31;

    std::uint32_t known_self() const noexcept {
        return sharing_.get_or(Sharing::processes) == Sharing::threads ? known_name<Sharing::threads>()
                                                                       : known_name<Sharing::processes>();
    }
    Taken take_slowly(Deadline deadline, const char* call);
    bool give_back_slowly() noexcept;
    bool take_at_once(Sharing sharing, std::uint32_t self, std::uint32_t flags, Taken& how) noexcept;
    bool is_held_here(Sharing sharing) const noexcept;
    Taken take_after_sleep(Sharing sharing, std::uint32_t self, Deadline deadline, const char* call);

    memory::Fixed<Sharing> sharing_{Sharing::threads};
    memory::Fixed<std::uint32_t> recursive_;
    std::atomic<ParticipantId> died_{no_participant};
    platform::RobustMutex queue_;
};

/// Throws: Damaged. Requires: it cannot be taken for that.
[[noreturn]] void tell_of_damage(const LockState& lock);

/// Holds an inner lock for a scope: of what is whole at every instant, so that it does not matter whether the
/// last holder died.
class Guard {
public:
    /// Throws: Damaged.
    explicit Guard(LockState& lock) : lock_(lock) {
        if (lock_.take({}) == LockState::Taken::damaged) tell_of_damage(lock_);
    }
    ~Guard() { lock_.give_back(); }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

private:
    LockState& lock_;
};

}  // namespace chorus::inline v0::detail::sync
