#include <chorus/barrier.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include <chorus/errors.hpp>
#include "memory/damage.hpp"
#include "sync/lock_state.hpp"
#include "sync/make.hpp"

namespace chorus::inline v0::detail::sync {

/// Layout: as below, then one ParticipantId for each party. Writers: the owner of `guard`; each change
/// that others act on is one store to `word`.
struct BarrierState {
    enum Reason : std::uint32_t { aborted, late, died, action_failed };

    LockState guard;
    Word word{0};
    Bell bell;
    memory::Fixed<Sharing> fixed_sharing{Sharing::threads};
    memory::Fixed<std::uint32_t> fixed_parties;
    std::uint32_t reason = aborted;
    ParticipantId who = no_participant;
    /// One bit for each of the last 64 generations: it did not end by all having come.
    std::atomic<std::uint64_t> failed{0};

    // Throw: Damaged.
    Sharing sharing() const { return fixed_sharing.get("the barrier"); }
    std::uint32_t parties() const { return fixed_parties.get("the barrier"); }
    ParticipantId* arrivals() noexcept { return reinterpret_cast<ParticipantId*>(this + 1); }
};

namespace {

// The word: how many have come, whether the barrier is broken, and how often it was passed or reset.
constexpr std::uint32_t arrived_mask = (1U << 15) - 1;
constexpr std::uint32_t broken_mark = 1U << 15;
constexpr std::uint32_t one_generation = 1U << 16;

std::uint32_t arrived(std::uint32_t word) { return word & arrived_mask; }
bool is_broken(std::uint32_t word) { return (word & broken_mark) != 0; }
std::uint32_t generation_of(std::uint32_t word) { return word / one_generation; }
std::uint64_t bit_of(std::uint32_t generation) { return std::uint64_t{1} << (generation % 64); }

std::string why_broken(const BarrierState& state) {
    switch (state.reason) {
        case BarrierState::late: return "a party was not there in time";
        case BarrierState::died: return describe(state.who) + " died in it";
        case BarrierState::action_failed: return "its action threw";
        default: return "it was aborted";
    }
}

[[noreturn]] void throw_broken(const BarrierState& state) {
    throw BrokenBarrierError("the barrier is broken: " + why_broken(state) + ". reset() makes it whole");
}

// All of the following require: the guard is held.

void change(BarrierState& state, std::uint32_t word) {
    const TellsInDeath pending(state.sharing(), state.bell.word());
    state.word = word;
    state.bell.ring_all(state.sharing());
}

// Among processes the others look again, to watch this one too.
void arrive(BarrierState& state) {
    if (state.sharing() == Sharing::processes) return change(state, state.word + 1);
    state.word = state.word + 1;
}

void begin_generation(BarrierState& state) {
    const std::uint32_t next = generation_of(state.word) * one_generation + one_generation;
    state.failed.fetch_and(~bit_of(generation_of(next)));
    change(state, next);
}

void break_it(BarrierState& state, BarrierState::Reason reason, ParticipantId who = no_participant) {
    if (is_broken(state.word)) return;
    state.reason = reason;
    state.who = who;
    state.failed.fetch_or(bit_of(generation_of(state.word)));
    change(state, state.word | broken_mark);
}

ParticipantId find_dead(BarrierState& state) {
    if (state.sharing() == Sharing::threads) return no_participant;
    const std::uint32_t count = std::min<std::uint32_t>(arrived(state.word), state.parties());
    for (std::uint32_t i = 0; i < count; ++i) {
        if (is_dead(state.arrivals()[i])) return state.arrivals()[i];
    }
    return no_participant;
}

void break_for_the_dead(BarrierState& state) {
    if (const ParticipantId dead = find_dead(state)) break_it(state, BarrierState::died, dead);
}

// The parties that have come except this thread, from this index on: waiters watch them. Reads what
// others may be writing: a wrong id costs one more look.
std::vector<ParticipantId> others(BarrierState& state, std::uint32_t word, std::uint32_t first) {
    std::vector<ParticipantId> ids;
    if (state.sharing() == Sharing::threads) return ids;
    const ParticipantId self = this_participant();
    const std::uint32_t count = std::min(arrived(word), state.parties());
    const std::size_t most = platform::most_words_to_wait_on - 2;
    for (std::uint32_t i = 0; i < count && ids.size() < most; ++i) {
        const ParticipantId id = std::atomic_ref(state.arrivals()[(first + i) % count]).load();
        if (id != self) ids.push_back(id);
    }
    return ids;
}

// Without the guard. Returns when it is over, when one of those watched is dead, or when the deadline passed.
template <class Over>
void sleep_until(BarrierState& state, Over over, std::uint32_t first_watched, Deadline deadline) {
    trace::Wait wait("Barrier.wait");
    const TellsInDeath pending(state.sharing(), state.bell.word());
    for (;;) {
        const std::uint32_t seen = state.word;
        state.bell.mark();
        if (over()) break;
        const auto watched = others(state, seen, first_watched);
        if (std::any_of(watched.begin(), watched.end(), is_dead)) break;
        wait.begins();
        if (!sleep(state.sharing(), state.word, seen, state.bell, deadline, watched)) break;
    }
    state.bell.ring_all(state.sharing());
}

}  // namespace
}  // namespace chorus::inline v0::detail::sync

namespace chorus::inline v0 {

using detail::Sharing;
using detail::sync::BarrierState;
using detail::sync::Guard;

BarrierBase::BarrierBase(Sharing sharing, int parties, std::function<void()> action, Deadline timeout)
    : action_(std::move(action)), timeout_(timeout) {
    if (parties < 1 || static_cast<std::uint32_t>(parties) > detail::sync::arrived_mask) {
        throw UsageError("a barrier has 1 to 32767 parties, got " + std::to_string(parties));
    }
    state_ = detail::sync::make_state<BarrierState>(
        sharing, static_cast<std::size_t>(parties) * sizeof(detail::sync::ParticipantId));
    state_->guard.initialise(sharing, false);
    state_->fixed_sharing = detail::memory::Fixed(sharing);
    state_->fixed_parties = detail::memory::Fixed(static_cast<std::uint32_t>(parties));
}

int BarrierBase::wait() const { return wait(timeout_.restarted()); }

int BarrierBase::wait(Deadline deadline) const {
    auto& state = *state_;
    for (;;) {
        std::uint32_t word = 0;
        std::optional<std::uint32_t> mine;
        {
            const Guard guard(state.guard);
            detail::sync::break_for_the_dead(state);
            word = state.word;
            if (detail::sync::is_broken(word)) detail::sync::throw_broken(state);
            const std::uint32_t index = detail::sync::arrived(word);
            if (index > state.parties())
                detail::memory::throw_damaged("the barrier", std::to_string(index) + " of " +
                                                                 std::to_string(state.parties()) +
                                                                 " parties are said to have come");
            if (index < state.parties()) {
                std::atomic_ref(state.arrivals()[index]).store(detail::sync::me(state.sharing()));
                if (index + 1 == state.parties() && !action_) {
                    detail::sync::begin_generation(state);
                    return static_cast<int>(index);
                }
                detail::sync::arrive(state);
                mine = index;
            }
        }
        if (mine && *mine + 1 == state.parties())
            return run_action_and_open(detail::sync::generation_of(word), *mine);
        if (mine) return wait_for_others(detail::sync::generation_of(word), *mine, deadline);
        // The last party is at its action: this one belongs to the next round.
        const auto opened = [&] { return state.word != word; };
        if (detail::sync::spin_until(opened)) continue;
        detail::sync::sleep_until(state, opened, state.parties() - 1, deadline);
        if (!deadline.has_passed()) continue;
        const Guard guard(state.guard);
        if (!opened()) detail::sync::break_it(state, BarrierState::late);
    }
}

int BarrierBase::run_action_and_open(std::uint32_t generation, std::uint32_t index) const {
    auto& state = *state_;
    try {
        action_();
    } catch (...) {
        const Guard guard(state.guard);
        if (detail::sync::generation_of(state.word) == generation)
            detail::sync::break_it(state, BarrierState::action_failed);
        throw;
    }
    const Guard guard(state.guard);
    if (detail::sync::generation_of(state.word) != generation || detail::sync::is_broken(state.word))
        detail::sync::throw_broken(state);
    detail::sync::begin_generation(state);
    return static_cast<int>(index);
}

int BarrierBase::wait_for_others(std::uint32_t generation, std::uint32_t index, Deadline deadline) const {
    auto& state = *state_;
    const auto over = [&] {
        return detail::sync::generation_of(state.word) != generation || detail::sync::is_broken(state.word);
    };
    detail::sync::spin_until(over);
    for (;;) {
        detail::sync::sleep_until(state, over, index, deadline);
        const Guard guard(state.guard);
        if (!over()) detail::sync::break_for_the_dead(state);
        if (!over() && deadline.has_passed()) detail::sync::break_it(state, BarrierState::late);
        if (detail::sync::generation_of(state.word) != generation &&
            (state.failed.load() & detail::sync::bit_of(generation)) == 0)
            return static_cast<int>(index);
        if (over()) detail::sync::throw_broken(state);
    }
}

void BarrierBase::reset() const {
    auto& state = *state_;
    const Guard guard(state.guard);
    if (detail::sync::arrived(state.word) > 0 && !detail::sync::is_broken(state.word)) {
        state.reason = BarrierState::aborted;
        state.failed.fetch_or(detail::sync::bit_of(detail::sync::generation_of(state.word)));
    }
    detail::sync::begin_generation(state);
}

void BarrierBase::abort() const {
    const Guard guard(state_->guard);
    detail::sync::break_it(*state_, BarrierState::aborted);
}

int BarrierBase::parties() const { return static_cast<int>(state_->fixed_parties.get_or(0)); }

int BarrierBase::n_waiting() const {
    const std::uint32_t word = state_->word;
    return detail::sync::is_broken(word) ? 0 : static_cast<int>(detail::sync::arrived(word));
}

bool BarrierBase::broken() const { return detail::sync::is_broken(state_->word); }

std::ostream& operator<<(std::ostream& out, const BarrierBase& barrier) {
    if (barrier.broken()) return out << "<Barrier(broken)>";
    return out << "<Barrier(waiters=" << barrier.n_waiting() << '/' << barrier.parties() << ")>";
}

void BarrierBase::write(detail::message::Writer& out) const {
    detail::sync::write_state(out, detail::Access::state(*this));
    out.write_raw(timeout_);
}

std::pair<BarrierBase::State, Deadline> BarrierBase::read_state(detail::message::Reader& in) {
    const auto place = detail::memory::read_place(in, sizeof(BarrierState));
    auto state = detail::memory::object_at<BarrierState>(place);
    const std::size_t room = (place.room() - sizeof(BarrierState)) / sizeof(detail::sync::ParticipantId);
    const std::uint32_t parties = state->fixed_parties.get_or(0);
    if (state->fixed_sharing.get_or(Sharing::threads) != Sharing::processes || parties == 0 || parties > room)
        throw DecodeError("message damaged: no barrier lies where it says");
    return {std::move(state), in.read_raw<Deadline>()};
}

}  // namespace chorus::inline v0
