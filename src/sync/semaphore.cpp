#include <chorus/semaphore.hpp>

#include <climits>
#include <string>

#include <chorus/errors.hpp>
#include "memory/damage.hpp"
#include "sync/make.hpp"
#include "sync/waiting.hpp"

namespace chorus::sync {

/// Writers: of `permits` whoever acquires or releases, each change by one compare-and-swap.
struct SemaphoreState {
    Word permits{0};
    Bell bell;
    memory::Fixed<Home> home{Home::thread};
    memory::Fixed<std::uint32_t> bounded;
    memory::Fixed<std::uint32_t> most{INT_MAX};

    // Throws: Damaged.
    void expect_at_most(std::uint32_t most_permits, std::uint32_t found) const {
        if (found > most_permits)
            memory::throw_damaged("the semaphore", std::to_string(found) + " permits are said to be free");
    }
};

BasicSemaphore::BasicSemaphore(Home home, int value, bool bounded) {
    if (value < 0)
        throw UsageError("a semaphore's initial value must be 0 or more, got " + std::to_string(value));
    state_ = make_state<SemaphoreState>(home);
    state_->permits = static_cast<std::uint32_t>(value);
    state_->home = memory::Fixed(home);
    state_->bounded = memory::Fixed<std::uint32_t>(bounded ? 1 : 0);
    if (bounded) state_->most = memory::Fixed(static_cast<std::uint32_t>(value));
}

bool BasicSemaphore::acquire(Deadline deadline) {
    auto& state = *state_;
    const Home home = state.home.get("the semaphore");
    const std::uint32_t most = state.most.get("the semaphore");
    const auto take_one = [&] {
        // An old value costs an exchange that fails, or a sleep that the kernel refuses: it compares the word
        // itself, behind a barrier, with what was read before the bell was marked (tests/model).
        std::uint32_t permits = state.permits.load(std::memory_order_relaxed);
        state.expect_at_most(most, permits);
        while (permits > 0) {
            if (state.permits.compare_exchange_weak(permits, permits - 1)) return true;
        }
        return false;
    };
    return wait_until("Semaphore.acquire", home, state.permits, state.bell, deadline, take_one, [&] {
        if (state.permits > 0) state.bell.ring(home, 1);
    });
}

void BasicSemaphore::release(int n) {
    if (n < 1) throw UsageError("a semaphore releases 1 or more at once, got " + std::to_string(n));
    auto& state = *state_;
    const auto more = static_cast<std::uint32_t>(n);
    const Home home = state.home.get("the semaphore");
    const std::uint32_t most = state.most.get("the semaphore");
    const TellsInDeath pending(home, state.bell.word());
    std::uint32_t permits = state.permits.load();
    do {
        state.expect_at_most(most, permits);
        if (more > most - permits) {
            throw UsageError("semaphore released too many times: " + std::to_string(permits) +
                             " permits are free, " + std::to_string(n) + " would come, and it " +
                             (state.bounded.get_or(0) != 0 ? "began with " : "can hold ") +
                             std::to_string(most));
        }
    } while (!state.permits.compare_exchange_weak(permits, permits + more));
    state.bell.ring(home, more);
}

int BasicSemaphore::get_value() const noexcept { return static_cast<int>(state_->permits.load()); }

std::ostream& operator<<(std::ostream& out, const BasicSemaphore& semaphore) {
    return out << (semaphore.state_->bounded.get_or(0) != 0 ? "<BoundedSemaphore(value="
                                                            : "<Semaphore(value=")
               << semaphore.get_value() << ")>";
}

void write_semaphore(message::Writer& out, const BasicSemaphore& semaphore) {
    write_state(out, semaphore.state());
}

std::shared_ptr<SemaphoreState> read_semaphore(message::Reader& in, bool bounded) {
    auto state = read_state<SemaphoreState>(in);
    if (state->home.get_or(Home::thread) != Home::process || state->bounded.get_or(2) != (bounded ? 1U : 0U))
        throw DecodeError("message damaged: no such semaphore lies where it says");
    return state;
}

}  // namespace chorus::sync
