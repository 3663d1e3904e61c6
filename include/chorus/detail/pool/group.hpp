// The futures of a task group: the first failure cancels the others.
//
// Thread safety: any thread may make any call.
#pragma once

#include <chorus/detail/contract.hpp>

#include <exception>
#include <memory>

#include <chorus/detail/worker/future_state.hpp>
#include <chorus/stop_token.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::detail::pool {

/// The futures of a group.
class Group {
public:
    /// Its failure cancels the others. It is cancelled at once if there was one.
    void add(const std::shared_ptr<worker::FutureState>& future);
    void cancel();
    /// Waits for all. Returns what the first one that failed threw; null if none did.
    std::exception_ptr wait();
    StopToken stop_token() const noexcept;
    /// Serialises start(): kept while a worker is added and the task is submitted.
    std::shared_ptr<void> start_one_by_one();

private:
    struct State;
    std::shared_ptr<State> state_ = make();
    static std::shared_ptr<State> make();
};

}  // namespace chorus::inline v0::detail::pool

#pragma GCC visibility pop
