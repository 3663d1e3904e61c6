#include <chorus/lock.hpp>

#include <string>

#include <chorus/errors.hpp>
#include "platform/os_process.hpp"
#include "platform/os_thread.hpp"
#include "sync/lock_state.hpp"
#include "sync/make.hpp"

namespace chorus::sync {
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

const char* type_name(const LockState& state) { return state.is_recursive() ? "RLock" : "Lock"; }

}  // namespace

LockWord& word_of(LockState& state) noexcept { return state; }

BasicLock::BasicLock(Home home, bool recursive) : BasicLock(make_state<LockState>(home)) {
    state_->initialise(home, recursive);
}

bool BasicLock::acquire(Deadline deadline) {
    auto& state = *state_;
    if (state.is_recursive() && state.is_mine()) {
        expect_depth(state);
        ++state.depth;
        return true;
    }
    const auto taken = state.take(deadline, state.is_recursive() ? "RLock.acquire" : "Lock.acquire");
    if (taken == LockState::Taken::not_in_time) return false;
    if (taken == LockState::Taken::damaged) tell_of_damage(state);
    if (state.is_recursive()) state.depth = 1;
    if (taken == LockState::Taken::after_owner_died) tell_of_owners_death(state);
    return true;
}

void BasicLock::release() {
    auto& state = *state_;
    if (state.is_recursive()) {
        if (!state.is_mine()) throw UsageError("cannot release an RLock that this thread does not hold");
        expect_depth(state);
        if (--state.depth > 0) return;
    }
    if (!state.give_back())
        throw UsageError(
            "cannot release a Lock that nobody holds: acquire() it first, or let std::scoped_lock do both");
}

bool BasicLock::locked() const noexcept { return state_->is_taken(); }

void BasicLock::recover() {
    if (!state_->is_taken())
        throw UsageError(
            "recover() is for who holds the lock, after acquire() has thrown OwnerDied: nobody holds it");
    state_->trust_again();
}

std::ostream& operator<<(std::ostream& out, const BasicLock& lock) {
    const auto& state = *lock.state_;
    const std::uint32_t owner = state.owner();
    std::string holder = "None";
    if (owner != nobody && state.home() == Home::thread) {
        holder = owner == me(Home::thread) ? "this thread" : "SomeOtherThread";
    } else if (owner != nobody) {
        const Participant& life = participant_of(owner);
        holder = life.name;
        if (owner != this_participant() && life.pid == platform::process_id()) holder = "SomeOtherThread";
        if (holder.empty() || is_dead(owner)) holder = "SomeOtherProcess";
    }
    out << '<' << type_name(state);
    if (!state.is_recursive()) return out << "(owner=" << holder << ")>";
    out << '(' << holder << ", ";
    if (owner != nobody && !state.is_mine()) return out << "nonzero)>";
    return out << (owner == nobody ? 0 : state.depth) << ")>";
}

void write_lock(message::Writer& out, const BasicLock& lock) { write_state(out, lock.state()); }

std::shared_ptr<LockState> read_lock(message::Reader& in, bool recursive) {
    auto state = read_state<LockState>(in);
    if (state->home() != Home::process || state->is_recursive() != recursive)
        throw DecodeError("message damaged: no such lock lies where it says");
    return state;
}

}  // namespace chorus::sync
