#include "worker/gate.hpp"

#include <chrono>

#include "platform/futex.hpp"
#include "platform/life_line.hpp"
#include "platform/look.hpp"
#include "platform/process_exit.hpp"
#include "platform/process_handle.hpp"

namespace chorus::inline v0::detail::worker {

void Gate::close(std::uint32_t birth) noexcept { word_.store(4 * birth + closed); }

platform::FileDescriptor Gate::let_in(std::uint32_t birth, int pid) {
    try {
        auto process = platform::open_process(pid);
        answer(birth, open);
        return process;
    } catch (...) {
        answer(birth, refused);
        platform::collect_child(pid);
        throw;
    }
}

void Gate::answer(std::uint32_t birth, State state) noexcept {
    if (word_.exchange(4 * birth + state) == 4 * birth + asleep) platform::shared_futex_wake_all(word_);
}

[[gnu::hot]] void Gate::wait(std::uint32_t birth, int parent_life_line) noexcept {
    platform::Look look;  // a parent that just learnt the pid needs two system calls more
    for (bool looks = true;;) {
        const std::uint32_t word = word_.load();
        if (word == 4 * birth + open) return;
        // Another number: the parent has gone on, which it does not before it answered.
        if (word / 4 != birth) return;
        if (word == 4 * birth + refused || (!looks && platform::life_line_is_cut(parent_life_line))) {
            platform::leave_at_once(1);
        }
        if (looks && (looks = look.again())) continue;
        std::uint32_t expected = 4 * birth + closed;
        if (!word_.compare_exchange_strong(expected, 4 * birth + asleep) && expected != 4 * birth + asleep)
            continue;
        // The clock only says when to look again whether the parent is alive.
        platform::shared_futex_wait(word_, 4 * birth + asleep, std::chrono::milliseconds(100));
    }
}

}  // namespace chorus::inline v0::detail::worker
