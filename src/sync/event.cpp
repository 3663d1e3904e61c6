#include <chorus/event.hpp>

#include <chorus/errors.hpp>
#include "memory/damage.hpp"
#include "sync/make.hpp"
#include "sync/waiting.hpp"

namespace chorus::sync {

/// Writers: of `word` whoever sets or clears. Its lowest bit says whether the event is set, the others count
/// how often it was: by that a waiter knows that it was set and cleared while it slept.
struct EventState {
    static constexpr std::uint32_t is_set = 1;
    static constexpr std::uint32_t one_setting = 2;

    Word word{0};
    Bell bell;
    memory::Fixed<Home> home{Home::thread};
};

BasicEvent::BasicEvent(Home home) : state_(make_state<EventState>(home)) {
    state_->home = memory::Fixed(home);
}

bool BasicEvent::is_set() const noexcept { return (state_->word.load() & EventState::is_set) != 0; }

void BasicEvent::set() {
    auto& state = *state_;
    const Home home = state.home.get("the event");
    const TellsInDeath pending(home, state.bell.word());
    std::uint32_t word = state.word.load();
    while ((word & EventState::is_set) == 0) {
        if (!state.word.compare_exchange_weak(word, (word + EventState::one_setting) | EventState::is_set))
            continue;
        state.bell.ring_all(home);
        return;
    }
}

void BasicEvent::clear() { state_->word.fetch_and(~EventState::is_set); }

bool BasicEvent::wait(Deadline deadline) const {
    auto& state = *state_;
    const Home home = state.home.get("the event");
    const std::uint32_t before = state.word.load() & ~EventState::is_set;
    const auto was_set = [&] {
        const std::uint32_t word = state.word.load();
        return (word & EventState::is_set) != 0 || word != before;
    };
    return wait_until("Event.wait", home, state.word, state.bell, deadline, was_set,
                      [&] { state.bell.ring_all(home); });
}

std::ostream& operator<<(std::ostream& out, const BasicEvent& event) {
    return out << (event.is_set() ? "<Event set>" : "<Event unset>");
}

void write_event(message::Writer& out, const BasicEvent& event) { write_state(out, event.state()); }

std::shared_ptr<EventState> read_event(message::Reader& in) {
    auto state = read_state<EventState>(in);
    if (state->home.get_or(Home::thread) != Home::process)
        throw DecodeError("message damaged: no event lies where it says");
    return state;
}

}  // namespace chorus::sync
