#include <chorus/worker/internal/gate.hpp>

#include <chrono>

#include <chorus/platform/futex.hpp>
#include <chorus/platform/os_thread.hpp>

namespace chorus::worker {
namespace {

// A parent that just learnt the pid needs two system calls more.
constexpr int spins_before_sleep = 12;

}  // namespace

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
    for (int look = 0;; ++look) {
        const std::uint32_t word = word_.load();
        if (word == 4 * birth + open) return;
        // Another number: the parent has gone on, which it does not before it answered.
        if (word / 4 != birth) return;
        if (word == 4 * birth + refused ||
            (look > spins_before_sleep && platform::life_line_is_cut(parent_life_line))) {
            platform::leave_at_once(1);
        }
        if (look < spins_before_sleep) {
            platform::give_way();
            continue;
        }
        std::uint32_t expected = 4 * birth + closed;
        if (!word_.compare_exchange_strong(expected, 4 * birth + asleep) && expected != 4 * birth + asleep)
            continue;
        // The clock only says when to look again whether the parent is alive.
        platform::shared_futex_wait(word_, 4 * birth + asleep, std::chrono::milliseconds(100));
    }
}

}  // namespace chorus::worker
