// Arrivals: some futures, in the order in which they end. What wait() and as_completed() stand on.
//
// Thread safety: one thread at a time; any thread may end the futures.
// Crash safety: a worker's death ends its future.
#pragma once

#include <chorus/detail/contract.hpp>

#include <cstddef>
#include <map>
#include <memory>
#include <unordered_map>

#include <chorus/detail/worker/future_state.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::detail::worker {

/// Some futures, one after the other as they end.
class Arrivals {
public:
    Arrivals();
    ~Arrivals();
    Arrivals(Arrivals&&) noexcept = default;
    Arrivals& operator=(Arrivals&&) = delete;

    /// One that is expected already is not expected twice.
    void expect(std::shared_ptr<FutureState> future);
    std::size_t expected() const noexcept { return expected_.size(); }

    /// The next one that has ended, not expected any more; null when the deadline passed first. Those that
    /// were done when they were expected come first. Requires: one is expected.
    std::shared_ptr<FutureState> next(Deadline deadline);

private:
    struct Ended;
    struct Expected {
        std::shared_ptr<FutureState> future;
        FutureState::Callback* callback = nullptr;
        const Helper* helped = nullptr;  ///< whom one would help by waiting for it; a name and nothing more
    };

    std::shared_ptr<Ended> ended_;
    std::unordered_map<const FutureState*, Expected> expected_;
    std::map<const Helper*, std::size_t> helped_;  ///< how many of the expected ones have the same
};

}  // namespace chorus::inline v0::detail::worker

#pragma GCC visibility pop
