#include <chorus/lock.hpp>

#include <string>

#include <chorus/errors.hpp>
#include "platform/os_thread.hpp"
#include "platform/process_id.hpp"
#include "sync/lock_state.hpp"
#include "sync/make.hpp"

namespace chorus::inline v0::detail::sync {
namespace {

[[noreturn]] void tell_of_owners_death(const LockState& state) {
    throw OwnerDied("the lock was held by " + describe(state.died()) +
                    ", which has ended. The lock is held now: repair what it protects and call recover(), or "
                    "release() it to leave that to the next one");
}

// Of a recursive lock that this thread holds.
void expect_depth(const LockState& state) {
    constexpr std::uint32_t more_than_anybody = 1U << 30;
    if (state.depth == 0 || state.depth > more_than_anybody)
        memory::throw_damaged("the lock", "this thread holds it, " + std::to_string(state.depth) + " times");
}

// As Python writes it.
std::ostream& show(std::ostream& out, const LockState& state) {
    const std::uint32_t owner = state.owner();
    std::string holder = "None";
    if (owner != no_participant && state.sharing() == Sharing::threads) {
        holder = owner == me(Sharing::threads) ? "this thread" : "SomeOtherThread";
    } else if (owner != no_participant) {
        const Participant& participant = participant_of(owner);
        holder = participant.name;
        if (owner != this_participant() && participant.pid == platform::process_id())
            holder = "SomeOtherThread";
        if (holder.empty() || is_dead(owner)) holder = "SomeOtherProcess";
    }
    if (!state.is_recursive()) return out << "<Lock(owner=" << holder << ")>";
    out << "<RLock(" << holder << ", ";
    if (owner != no_participant && !state.is_mine()) return out << "nonzero)>";
    return out << (owner == no_participant ? 0 : state.depth) << ")>";
}

}  // namespace

constinit NoLock no_lock;

LockWord& word_of(LockState& state) noexcept { return state; }

}  // namespace chorus::inline v0::detail::sync

namespace chorus::inline v0 {

using detail::Sharing;
using detail::sync::LockState;

LockBase::LockBase(Sharing sharing, bool recursive) : LockBase(detail::sync::make_state<LockState>(sharing)) {
    state_->initialise(sharing, recursive);
}

bool LockBase::acquire(Deadline deadline) const {
    auto& state = *state_;
    if (state.is_recursive() && state.is_mine()) {
        detail::sync::expect_depth(state);
        ++state.depth;
        return true;
    }
    const auto taken = state.take(deadline, state.is_recursive() ? "RLock.acquire" : "Lock.acquire");
    if (taken == LockState::Taken::not_in_time) return false;
    if (taken == LockState::Taken::damaged) detail::sync::tell_of_damage(state);
    if (state.is_recursive()) state.depth = 1;
    if (taken == LockState::Taken::after_owner_died) detail::sync::tell_of_owners_death(state);
    return true;
}

void LockBase::release() const {
    auto& state = *state_;
    if (state.is_recursive()) {
        if (!state.is_mine()) throw UsageError("cannot release an RLock that this thread does not hold");
        detail::sync::expect_depth(state);
        if (--state.depth > 0) return;
    }
    if (!state.give_back())
        throw UsageError(
            "cannot release a Lock that is not held: acquire() it first, or let std::scoped_lock do both");
}

bool LockBase::locked() const { return state_->is_taken(); }

void LockBase::recover() const {
    if (!state_->is_taken())
        throw UsageError(
            "recover() is for the lock's owner, after acquire() has thrown OwnerDied: the lock is not held");
    state_->trust_again();
}

std::ostream& operator<<(std::ostream& out, const LockBase& lock) {
    return detail::sync::show(out, *lock.state_);
}

void LockBase::write(detail::message::Writer& out) const {
    detail::sync::write_state(out, detail::Access::state(*this));
}

LockBase::State LockBase::read_state(detail::message::Reader& in) {
    auto state = detail::sync::read_state<LockState>(in);
    if (state->sharing() != Sharing::processes)
        throw DecodeError("message damaged: no lock lies where it says");
    return state;
}

LockBase::State LockBase::read_state(detail::message::Reader& in, bool recursive) {
    auto state = read_state(in);
    if (state->is_recursive() != recursive)
        throw DecodeError("message damaged: no such lock lies where it says");
    return state;
}

}  // namespace chorus::inline v0
