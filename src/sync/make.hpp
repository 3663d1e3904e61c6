// Makes the state of an object where it belongs, and tells another process where it is.
#pragma once

#include <memory>
#include <vector>

#include <chorus/detail/sharing.hpp>
#include "memory/region.hpp"
#include "sync/shared_runtime.hpp"

namespace chorus::inline v0::detail::sync {

/// Zeroed memory that holds a State, and `more` bytes after it.
template <class State>
std::shared_ptr<State> make_state(Sharing sharing, std::size_t more = 0) {
    if (sharing == Sharing::threads && more == 0) return std::make_shared<State>();
    if (sharing == Sharing::threads) {
        const auto bytes = std::make_shared<std::vector<std::uint64_t>>((sizeof(State) + more + 7) / 8);
        return std::shared_ptr<State>(bytes, new (bytes->data()) State);
    }
    shared_runtime();  // before a plain fork(): copies that each made their own would not know each other
    const auto place = memory::allocate(sizeof(State) + more);
    new (place.address()) State;
    return memory::object_at<State>(place);
}

template <class State>
void write_state(message::Writer& out, const std::shared_ptr<State>& state) {
    memory::write_place(out, memory::place_of(state));
}

template <class State>
std::shared_ptr<State> read_state(message::Reader& in) {
    return memory::object_at<State>(memory::read_place(in, sizeof(State)));
}

}  // namespace chorus::inline v0::detail::sync
