#include <chorus/event.hpp>

#include <chorus/errors.hpp>
#include "sync/event_state.hpp"
#include "sync/make.hpp"

namespace chorus::inline v0 {

using detail::Sharing;
using detail::sync::EventState;

EventBase::EventBase(Sharing sharing) : state_(detail::sync::make_state<EventState>(sharing)) {
    state_->sharing = detail::memory::Fixed(sharing);
}

bool EventBase::is_set() const { return (state_->word.load() & EventState::is_set) != 0; }

void EventBase::set() const {
    auto& state = *state_;
    const Sharing sharing = state.sharing.get("the event");
    const detail::sync::TellsInDeath pending(sharing, state.bell.word());
    std::uint32_t word = state.word.load();
    while ((word & EventState::is_set) == 0) {
        if (!state.word.compare_exchange_weak(word, (word + EventState::one_setting) | EventState::is_set))
            continue;
        state.bell.ring_all(sharing);
        return;
    }
}

void EventBase::clear() const { state_->word.fetch_and(~EventState::is_set); }

bool EventBase::wait(Deadline deadline) const {
    auto& state = *state_;
    const Sharing sharing = state.sharing.get("the event");
    const std::uint32_t before = state.word.load() & ~EventState::is_set;
    const auto was_set = [&] {
        const std::uint32_t word = state.word.load();
        return (word & EventState::is_set) != 0 || word != before;
    };
    return detail::sync::wait_until("Event.wait", sharing, state.word, state.bell, deadline, was_set,
                                    [&] { state.bell.ring_all(sharing); });
}

std::ostream& operator<<(std::ostream& out, const EventBase& event) {
    return out << (event.is_set() ? "<Event set>" : "<Event unset>");
}

void EventBase::write(detail::message::Writer& out) const {
    detail::sync::write_state(out, detail::Access::state(*this));
}

EventBase::State EventBase::read_state(detail::message::Reader& in) {
    auto state = detail::sync::read_state<EventState>(in);
    if (state->sharing.get_or(Sharing::threads) != Sharing::processes)
        throw DecodeError("message damaged: no event lies where it says");
    return state;
}

}  // namespace chorus::inline v0
