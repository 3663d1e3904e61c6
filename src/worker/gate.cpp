#include "worker/gate.hpp"

#include <chrono>

#include "platform/futex.hpp"
#include "platform/life_line.hpp"
#include "platform/look.hpp"
#include "platform/process_exit.hpp"
#include "platform/process_handle.hpp"

namespace chorus::inline v0::detail::worker {

void Gate::close(std::uint32_t start) noexcept { word_.store(4 * start + closed); }

platform::FileDescriptor Gate::let_in(std::uint32_t start, int pid) {
    try {
        auto process = platform::open_process(pid);
        answer(start, open);
        return process;
    } catch (...) {
        answer(start, refused);
        platform::collect_child(pid);
        throw;
    }
}

void Gate::answer(std::uint32_t start, State state) noexcept {
    if (word_.exchange(4 * start + state) == 4 * start + asleep) platform::shared_futex_wake_all(word_);
}

[[gnu::hot]] void Gate::wait(std::uint32_t start, int parent_life_line) noexcept {
    platform::Look look;  // a parent that has just read the pid needs two more system calls
    for (bool looks = true;;) {
        const std::uint32_t word = word_.load();
        if (word == 4 * start + open) return;
        // Another number: the parent is at a later start, so it has answered this one (invariant 3).
        if (word / 4 != start) return;
        if (word == 4 * start + refused || (!looks && platform::life_line_is_cut(parent_life_line))) {
            platform::leave_at_once(1);
        }
        if (looks && (looks = look.again())) continue;
        std::uint32_t expected = 4 * start + closed;
        if (!word_.compare_exchange_strong(expected, 4 * start + asleep) && expected != 4 * start + asleep)
            continue;
        // The timeout only limits how long the death of the parent goes unnoticed.
        platform::shared_futex_wait(word_, 4 * start + asleep, std::chrono::milliseconds(100));
    }
}

}  // namespace chorus::inline v0::detail::worker
