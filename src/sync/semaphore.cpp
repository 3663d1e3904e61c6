#include <chorus/semaphore.hpp>

#include <climits>
#include <string>

#include <chorus/errors.hpp>
#include "memory/damage.hpp"
#include "sync/make.hpp"
#include "sync/waiting.hpp"

namespace chorus::inline v0::detail::sync {

/// Writers: of `permits` the thread that acquires or releases, each change by one compare-and-swap.
struct SemaphoreState {
    Word permits{0};
    Bell bell;
    memory::Fixed<Sharing> sharing{Sharing::threads};
    memory::Fixed<std::uint32_t> bounded;
    memory::Fixed<std::uint32_t> most{INT_MAX};

    // Throws: Damaged.
    void expect_at_most(std::uint32_t most_permits, std::uint32_t found) const {
        if (found > most_permits)
            memory::throw_damaged("the semaphore", std::to_string(found) + " permits are said to be free");
    }
};

}  // namespace chorus::inline v0::detail::sync

namespace chorus::inline v0 {

using detail::Sharing;
using detail::sync::SemaphoreState;

SemaphoreBase::SemaphoreBase(Sharing sharing, int value, bool bounded) {
    if (value < 0)
        throw UsageError("a semaphore's initial value must be 0 or more, got " + std::to_string(value));
    state_ = detail::sync::make_state<SemaphoreState>(sharing);
    state_->permits = static_cast<std::uint32_t>(value);
    state_->sharing = detail::memory::Fixed(sharing);
    state_->bounded = detail::memory::Fixed<std::uint32_t>(bounded ? 1 : 0);
    if (bounded) state_->most = detail::memory::Fixed(static_cast<std::uint32_t>(value));
}

bool SemaphoreBase::acquire(Deadline deadline) const {
    auto& state = *state_;
    const Sharing sharing = state.sharing.get("the semaphore");
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
    return detail::sync::wait_until("Semaphore.acquire", sharing, state.permits, state.bell, deadline,
                                    take_one, [&] {
                                        if (state.permits > 0) state.bell.ring(sharing, 1);
                                    });
}

void SemaphoreBase::release(int n) const {
    if (n < 1) throw UsageError("a semaphore releases 1 or more at once, got " + std::to_string(n));
    auto& state = *state_;
    const auto more = static_cast<std::uint32_t>(n);
    const Sharing sharing = state.sharing.get("the semaphore");
    const std::uint32_t most = state.most.get("the semaphore");
    const detail::sync::TellsInDeath pending(sharing, state.bell.word());
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
    state.bell.ring(sharing, more);
}

int SemaphoreBase::get_value() const { return static_cast<int>(state_->permits.load()); }

std::ostream& operator<<(std::ostream& out, const SemaphoreBase& semaphore) {
    return out << (semaphore.state_->bounded.get_or(0) != 0 ? "<BoundedSemaphore(value="
                                                            : "<Semaphore(value=")
               << semaphore.get_value() << ")>";
}

void SemaphoreBase::write(detail::message::Writer& out) const {
    detail::sync::write_state(out, detail::Access::state(*this));
}

SemaphoreBase::State SemaphoreBase::read_state(detail::message::Reader& in, bool bounded) {
    auto state = detail::sync::read_state<SemaphoreState>(in);
    if (state->sharing.get_or(Sharing::threads) != Sharing::processes ||
        state->bounded.get_or(2) != (bounded ? 1U : 0U))
        throw DecodeError("message damaged: no such semaphore lies where it says");
    return state;
}

}  // namespace chorus::inline v0
