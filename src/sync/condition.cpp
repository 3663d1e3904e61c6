#include <chorus/condition.hpp>

#include <climits>
#include <string>

#include <chorus/errors.hpp>
#include "sync/lock_state.hpp"
#include "sync/make.hpp"
#include "sync/wait_list.hpp"

namespace chorus::sync {

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

BasicCondition::BasicCondition(Home home, std::shared_ptr<LockState> lock)
    : lock_(std::move(lock)), state_(make_state<ConditionState>(home)) {
    state_->list.home = memory::Fixed(home);
    if (home == Home::thread) return;
    const auto place = memory::place_of(state_);
    state_->list.name =
        place.region->name() + (static_cast<std::uint64_t>(place.region->begin() + place.offset) << 32);
    if (state_->list.name == 0) state_->list.name = 1;
}

bool BasicCondition::wait(Deadline deadline) {
    auto& lock = *lock_;
    require_lock(lock, "wait");
    const std::uint32_t depth = lock.depth;
    bool notified_in_time = false;
    auto taken = LockState::Taken::cleanly;
    require_somebody_else(state_->list.home.get("the condition"), deadline);
    {
        Waiter waiter(state_->list);
        lock.give_back();
        notified_in_time = waiter.sleep(deadline);
        taken = lock.take({}, "Condition.wait");
        lock.depth = depth;
    }
    if (taken == LockState::Taken::damaged) tell_of_damage(lock);
    if (taken == LockState::Taken::after_owner_died) {
        throw OwnerDied(
            "while this thread waited, the condition's lock was held by " + describe(lock.died()) +
            ", which has ended. The lock is held now: repair what it protects and call recover()");
    }
    return notified_in_time;
}

void BasicCondition::notify(int n) {
    require_lock(*lock_, "notify");
    if (n > 0) state_->list.notify(static_cast<std::uint32_t>(n));
}

void BasicCondition::notify_all() { notify(INT_MAX); }

namespace {

class AnyLock : public BasicLock {
public:
    explicit AnyLock(std::shared_ptr<LockState> state) : BasicLock(std::move(state)) {}
};

}  // namespace

bool BasicCondition::acquire(Deadline deadline) { return AnyLock(lock_).acquire(deadline); }
void BasicCondition::release() { AnyLock(lock_).release(); }
bool BasicCondition::locked() const noexcept { return lock_->is_taken(); }
void BasicCondition::recover() { AnyLock(lock_).recover(); }

std::ostream& operator<<(std::ostream& out, const BasicCondition& condition) {
    return out << "<Condition(" << AnyLock(condition.lock_) << ", " << condition.state_->list.count() << ")>";
}

void write_condition(message::Writer& out, const BasicCondition& condition) {
    write_state(out, condition.lock_state());
    write_state(out, condition.state());
}

std::shared_ptr<LockState> read_any_lock(message::Reader& in) {
    auto state = read_state<LockState>(in);
    if (state->home() != Home::process) throw DecodeError("message damaged: no lock lies where it says");
    return state;
}

std::shared_ptr<ConditionState> read_condition(message::Reader& in) {
    auto state = read_state<ConditionState>(in);
    if (state->list.home.get_or(Home::thread) != Home::process)
        throw DecodeError("message damaged: no condition lies where it says");
    return state;
}

}  // namespace chorus::sync
