#include <chorus/barrier.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include <chorus/errors.hpp>
#include "memory/damage.hpp"
#include "sync/lock_state.hpp"
#include "sync/make.hpp"

namespace chorus::sync {

/// Layout: as below, then one ParticipantId for each party. Writers: who holds `guard`; each change that
/// others act on is one store to `word`.
struct BarrierState {
    enum Reason : std::uint32_t { aborted, late, died, action_failed };

    LockState guard;
    Word word{0};
    Bell bell;
    memory::Fixed<Home> fixed_home{Home::thread};
    memory::Fixed<std::uint32_t> fixed_parties;
    std::uint32_t reason = aborted;
    ParticipantId who = nobody;
    /// One bit for each of the last 64 generations: it did not end by all having come.
    std::atomic<std::uint64_t> failed{0};

    // Throw: Damaged.
    Home home() const { return fixed_home.get("the barrier"); }
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
    const TellsInDeath pending(state.home(), state.bell.word());
    state.word = word;
    state.bell.ring_all(state.home());
}

// Among processes the others look again, to watch this one too.
void arrive(BarrierState& state) {
    if (state.home() == Home::process) return change(state, state.word + 1);
    state.word = state.word + 1;
}

void begin_generation(BarrierState& state) {
    const std::uint32_t next = generation_of(state.word) * one_generation + one_generation;
    state.failed.fetch_and(~bit_of(generation_of(next)));
    change(state, next);
}

void break_it(BarrierState& state, BarrierState::Reason reason, ParticipantId who = nobody) {
    if (is_broken(state.word)) return;
    state.reason = reason;
    state.who = who;
    state.failed.fetch_or(bit_of(generation_of(state.word)));
    change(state, state.word | broken_mark);
}

ParticipantId find_dead(BarrierState& state) {
    if (state.home() == Home::thread) return nobody;
    const std::uint32_t count = std::min<std::uint32_t>(arrived(state.word), state.parties());
    for (std::uint32_t i = 0; i < count; ++i) {
        if (is_dead(state.arrivals()[i])) return state.arrivals()[i];
    }
    return nobody;
}

void break_for_the_dead(BarrierState& state) {
    if (const ParticipantId dead = find_dead(state)) break_it(state, BarrierState::died, dead);
}

// Those who have come but this thread, from this index on: who waits watches them. Reads what others may be
// writing: a wrong id costs one more look.
std::vector<ParticipantId> others(BarrierState& state, std::uint32_t word, std::uint32_t first) {
    std::vector<ParticipantId> ids;
    if (state.home() == Home::thread) return ids;
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
    const TellsInDeath pending(state.home(), state.bell.word());
    for (;;) {
        const std::uint32_t seen = state.word;
        state.bell.mark();
        if (over()) break;
        const auto watched = others(state, seen, first_watched);
        if (std::any_of(watched.begin(), watched.end(), is_dead)) break;
        wait.begins();
        if (!sleep(state.home(), state.word, seen, state.bell, deadline, watched)) break;
    }
    state.bell.ring_all(state.home());
}

}  // namespace

BasicBarrier::BasicBarrier(Home home, int parties, std::function<void()> run_by_last,
                           std::optional<std::chrono::nanoseconds> timeout)
    : run_by_last_(std::move(run_by_last)), timeout_(timeout) {
    if (parties < 1 || static_cast<std::uint32_t>(parties) > arrived_mask) {
        throw UsageError("a barrier has 1 to 32767 parties, got " + std::to_string(parties));
    }
    state_ = make_state<BarrierState>(home, static_cast<std::size_t>(parties) * sizeof(ParticipantId));
    state_->guard.initialise(home, false);
    state_->fixed_home = memory::Fixed(home);
    state_->fixed_parties = memory::Fixed(static_cast<std::uint32_t>(parties));
}

int BasicBarrier::wait() { return wait(timeout_ ? Deadline(*timeout_) : Deadline()); }

int BasicBarrier::wait(Deadline deadline) {
    auto& state = *state_;
    for (;;) {
        std::uint32_t word = 0;
        std::optional<std::uint32_t> mine;
        {
            const Guard guard(state.guard);
            break_for_the_dead(state);
            word = state.word;
            if (is_broken(word)) throw_broken(state);
            const std::uint32_t index = arrived(word);
            if (index > state.parties())
                memory::throw_damaged("the barrier", std::to_string(index) + " of " +
                                                         std::to_string(state.parties()) +
                                                         " parties are said to have come");
            if (index < state.parties()) {
                std::atomic_ref(state.arrivals()[index]).store(me(state.home()));
                if (index + 1 == state.parties() && !run_by_last_) {
                    begin_generation(state);
                    return static_cast<int>(index);
                }
                arrive(state);
                mine = index;
            }
        }
        if (mine && *mine + 1 == state.parties()) return run_action_and_open(generation_of(word), *mine);
        if (mine) return wait_for_others(generation_of(word), *mine, deadline);
        // The last party is at its action: this one belongs to the next round.
        const auto opened = [&] { return state.word != word; };
        if (spin_until(opened)) continue;
        sleep_until(state, opened, state.parties() - 1, deadline);
        if (!deadline.has_passed()) continue;
        const Guard guard(state.guard);
        if (!opened()) break_it(state, BarrierState::late);
    }
}

int BasicBarrier::run_action_and_open(std::uint32_t generation, std::uint32_t index) {
    auto& state = *state_;
    try {
        run_by_last_();
    } catch (...) {
        const Guard guard(state.guard);
        if (generation_of(state.word) == generation) break_it(state, BarrierState::action_failed);
        throw;
    }
    const Guard guard(state.guard);
    if (generation_of(state.word) != generation || is_broken(state.word)) throw_broken(state);
    begin_generation(state);
    return static_cast<int>(index);
}

int BasicBarrier::wait_for_others(std::uint32_t generation, std::uint32_t index, Deadline deadline) {
    auto& state = *state_;
    const auto over = [&] { return generation_of(state.word) != generation || is_broken(state.word); };
    spin_until(over);
    for (;;) {
        sleep_until(state, over, index, deadline);
        const Guard guard(state.guard);
        if (!over()) break_for_the_dead(state);
        if (!over() && deadline.has_passed()) break_it(state, BarrierState::late);
        if (generation_of(state.word) != generation && (state.failed.load() & bit_of(generation)) == 0)
            return static_cast<int>(index);
        if (over()) throw_broken(state);
    }
}

void BasicBarrier::reset() {
    auto& state = *state_;
    const Guard guard(state.guard);
    if (arrived(state.word) > 0 && !is_broken(state.word)) {
        state.reason = BarrierState::aborted;
        state.failed.fetch_or(bit_of(generation_of(state.word)));
    }
    begin_generation(state);
}

void BasicBarrier::abort() {
    const Guard guard(state_->guard);
    break_it(*state_, BarrierState::aborted);
}

int BasicBarrier::parties() const noexcept { return static_cast<int>(state_->fixed_parties.get_or(0)); }

int BasicBarrier::n_waiting() const noexcept {
    const std::uint32_t word = state_->word;
    return is_broken(word) ? 0 : static_cast<int>(arrived(word));
}

bool BasicBarrier::broken() const noexcept { return is_broken(state_->word); }

std::ostream& operator<<(std::ostream& out, const BasicBarrier& barrier) {
    if (barrier.broken()) return out << "<Barrier(broken)>";
    return out << "<Barrier(waiters=" << barrier.n_waiting() << '/' << barrier.parties() << ")>";
}

void write_barrier(message::Writer& out, const BasicBarrier& barrier) { write_state(out, barrier.state()); }

std::shared_ptr<BarrierState> read_barrier(message::Reader& in) {
    const auto place = memory::read_place(in, sizeof(BarrierState));
    auto state = memory::object_at<BarrierState>(place);
    const std::size_t room = (place.room() - sizeof(BarrierState)) / sizeof(ParticipantId);
    const std::uint32_t parties = state->fixed_parties.get_or(0);
    if (state->fixed_home.get_or(Home::thread) != Home::process || parties == 0 || parties > room)
        throw DecodeError("message damaged: no barrier lies where it says");
    return state;
}

}  // namespace chorus::sync
