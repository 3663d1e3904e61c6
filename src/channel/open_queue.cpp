#include "channel/open_queue.hpp"

#include <utility>

#include <chorus/errors.hpp>
#include "memory/damage.hpp"

namespace chorus::inline v0::detail::channel {

platform::Posted post_number(int socket, std::uint64_t number, std::span<const int> descriptors) {
    return platform::post(socket, std::as_bytes(std::span(&number, 1)), descriptors);
}

OpenQueue::OpenQueue(std::shared_ptr<memory::Region> its_region, Sockets its_sockets, std::string type,
                     QueueTrace traced)
    : region(std::move(its_region)),
      sockets(std::move(its_sockets)),
      state(*std::launder(reinterpret_cast<QueueState*>(region->data() + state_offset))),
      is_pipe(state.type == 0),
      max_items(state.max_items),
      max_bytes(state.max_bytes),
      type_name(std::move(type)),
      trace(traced) {}

std::uint64_t OpenQueue::size() const noexcept {
    if (state.phase.load() == QueueState::immediate) return 0;
    for (;;) {
        const Index puts = state.puts.index.load();
        const Index gets = state.gets.index.load();
        if (puts == state.puts.index.load())
            return puts.items - gets.items;  // at the moment when gets was read
    }
}

std::uint32_t OpenQueue::phase() const {
    const std::uint32_t found = state.phase.load();
    if (found != QueueState::open && found != QueueState::draining && found != QueueState::immediate)
        tell_of_damage("it is neither open nor shut down, but " + std::to_string(found));
    return found;
}

void OpenQueue::require_open() const {
    if (phase() != QueueState::open) throw ShutDown("the queue was shut down: nothing more can be put");
}

void OpenQueue::expect_order(Index puts, Index gets) const {
    const std::uint32_t units = puts.position - gets.position;
    const std::uint32_t items = puts.items - gets.items;
    if (units <= largest_distance && items <= units) return;
    tell_of_damage(std::to_string(items) + " items in " + std::to_string(units) +
                   " units are said to be in it");
}

void OpenQueue::tell_of_damage(const std::string& found) const {
    memory::throw_damaged(is_pipe ? "a pipe" : "a queue of " + type_name, found);
}

}  // namespace chorus::inline v0::detail::channel
