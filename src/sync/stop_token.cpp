#include <chorus/stop_token.hpp>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "memory/region.hpp"
#include "platform/os_thread.hpp"
#include "platform/signal_mask.hpp"
#include "sync/event_state.hpp"

namespace chorus::inline v0 {

namespace {

// Sets the event when the std::stop_source requests it.
struct SetEvent {
    multiprocessing::Event event;
    void operator()() const noexcept { event.set(); }
};

}  // namespace

StopToken::StopToken(std::stop_token token)
    : passes_on_(std::make_shared<std::stop_callback<SetEvent>>(std::move(token), SetEvent{event_})) {}

// Shared with the thread, which may outlive the callback.
struct StopCallback::State {
    enum class Phase { waits, runs, over };

    multiprocessing::Event event;
    std::function<void()> function;
    std::uint32_t copy = detail::memory::copy_number();  ///< of the process: another copy has no such thread
    std::mutex mutex;
    std::condition_variable ended;
    std::atomic<Phase> phase{Phase::waits};  ///< changed under the mutex
    std::thread::id runner;

    void wait_and_call() noexcept {
        const auto is_over = [this] { return phase.load() == Phase::over; };
        detail::sync::wait_until_set_or(*detail::Access::state(event), is_over);
        {
            const std::lock_guard guard(mutex);
            if (is_over()) return;
            phase = Phase::runs;
            runner = std::this_thread::get_id();
        }
        function();
        const std::lock_guard guard(mutex);
        phase = Phase::over;
        ended.notify_all();
    }
};

StopCallback::StopCallback(const StopToken& token, std::function<void()> function, int) {
    if (token.stop_requested()) {
        function();
        return;
    }
    state_ = std::make_shared<State>();
    state_->event = token.event_;
    state_->function = std::move(function);
    auto* const owned = new std::shared_ptr<State>(state_);
    try {
        const detail::platform::SignalsBlocked
            blocked;  // the program's handlers run in the program's threads
        detail::platform::start_thread(
            [](void* argument) -> void* {
                const std::unique_ptr<std::shared_ptr<State>> state(
                    static_cast<std::shared_ptr<State>*>(argument));
                detail::platform::name_this_thread("chorus-stop");
                detail::platform::count_as_servant();
                (*state)->wait_and_call();
                return nullptr;
            },
            owned, 0);
    } catch (...) {
        delete owned;
        throw;
    }
}

StopCallback::~StopCallback() {
    if (!state_ || state_->copy != detail::memory::copy_number()) return;
    std::unique_lock lock(state_->mutex);
    if (state_->phase == State::Phase::waits) {
        state_->phase = State::Phase::over;
        detail::sync::wake_waiters(*detail::Access::state(state_->event));
        return;
    }
    if (state_->runner == std::this_thread::get_id()) return;
    state_->ended.wait(lock, [this] { return state_->phase == State::Phase::over; });
}

}  // namespace chorus::inline v0
