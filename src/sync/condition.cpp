#include <chorus/condition.hpp>

#include <climits>
#include <string>

#include <chorus/errors.hpp>
#include "sync/lock_state.hpp"
#include "sync/make.hpp"
#include "sync/wait_list.hpp"

namespace chorus::inline v0::detail::sync {

struct ConditionState {
    WaitList list;
};

namespace {

void require_lock(const LockState& lock, const char* what) {
    if (!lock.is_mine())
        throw UsageError(std::string("cannot ") + what +
                         " on a condition whose lock this thread does not hold: acquire it first");
}

}  // namespace
}  // namespace chorus::inline v0::detail::sync

namespace chorus::inline v0 {

using detail::Sharing;
using detail::sync::ConditionState;
using detail::sync::LockState;

ConditionBase::ConditionBase(Sharing sharing, Lock lock)
    : lock_(std::move(lock)), state_(detail::sync::make_state<ConditionState>(sharing)) {
    state_->list.sharing = detail::memory::Fixed(sharing);
    if (sharing == Sharing::threads) return;
    const auto place = detail::memory::place_of(state_.shared());
    state_->list.name =
        place.region->name() + (static_cast<std::uint64_t>(place.region->begin() + place.offset) << 32);
    if (state_->list.name == 0) state_->list.name = 1;
}

bool ConditionBase::wait(Deadline deadline) const {
    auto& lock = *lock_;
    detail::sync::require_lock(lock, "wait");
    const std::uint32_t depth = lock.depth;
    bool notified_in_time = false;
    auto taken = LockState::Taken::cleanly;
    detail::sync::require_possible_waker(state_->list.sharing.get("the condition"), deadline);
    {
        detail::sync::Waiter waiter(state_->list);
        lock.give_back();
        notified_in_time = waiter.sleep(deadline);
        taken = lock.take({}, "Condition.wait");
        lock.depth = depth;
    }
    if (taken == LockState::Taken::damaged) detail::sync::tell_of_damage(lock);
    if (taken == LockState::Taken::after_owner_died) {
        throw OwnerDied(
            "while this thread waited, the condition's lock was held by " +
            detail::sync::describe(lock.died()) +
            ", which has ended. The lock is held now: repair what it protects and call recover()");
    }
    return notified_in_time;
}

void ConditionBase::notify(int n) const {
    detail::sync::require_lock(*lock_, "notify");
    if (n > 0) state_->list.notify(static_cast<std::uint32_t>(n));
}

void ConditionBase::notify_all() const { notify(INT_MAX); }

// The handle of the lock, for its own operations.
class ConditionBase::OwnLock final : public LockBase {
public:
    explicit OwnLock(const ConditionBase& condition) : LockBase(checked(condition)) {}
    using LockBase::read_state;

private:
    static const State& checked(const ConditionBase& condition) {
        if (!condition.valid()) detail::refuse_empty_handle();
        return condition.lock_.shared();
    }
};

bool ConditionBase::acquire(Deadline deadline) const { return OwnLock(*this).acquire(deadline); }
void ConditionBase::release() const { OwnLock(*this).release(); }
bool ConditionBase::locked() const { return lock_->is_taken(); }
void ConditionBase::recover() const { OwnLock(*this).recover(); }

std::ostream& operator<<(std::ostream& out, const ConditionBase& condition) {
    return out << "<Condition(" << ConditionBase::OwnLock(condition) << ", " << condition.state_->list.count()
               << ")>";
}

void ConditionBase::write(detail::message::Writer& out) const {
    const auto& state = detail::Access::state(*this);
    detail::sync::write_state(out, lock_.shared());
    detail::sync::write_state(out, state);
}

std::pair<ConditionBase::Lock, ConditionBase::State> ConditionBase::read_states(detail::message::Reader& in) {
    auto lock = OwnLock::read_state(in);
    auto state = detail::sync::read_state<ConditionState>(in);
    if (state->list.sharing.get_or(Sharing::threads) != Sharing::processes)
        throw DecodeError("message damaged: no condition lies where it says");
    return {std::move(lock), std::move(state)};
}

}  // namespace chorus::inline v0
