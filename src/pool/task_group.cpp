#include <chorus/detail/pool/group.hpp>

#include <mutex>
#include <unordered_set>
#include <vector>

#include "platform/copy_mutex.hpp"

namespace chorus::inline v0::detail::pool {

struct Group::State {
    platform::CopyMutex starting;
    platform::CopyMutex mutex;
    std::unordered_set<std::shared_ptr<worker::FutureState>> running;
    std::exception_ptr first;
    bool is_cancelled = false;
    StopSource stop;

    void ended(const std::shared_ptr<worker::FutureState>& future) {
        bool failed = false;
        {
            const std::lock_guard guard(mutex);
            if (running.erase(future) == 0) return;  // it was looked at before
            if (future->phase() == worker::FutureState::Phase::finished && future->error() && !first &&
                !is_cancelled) {
                first = future->error();
                failed = true;
            }
        }
        if (failed) cancel();
    }

    void cancel() {
        std::vector<std::shared_ptr<worker::FutureState>> rest;
        {
            const std::lock_guard guard(mutex);
            is_cancelled = true;
            rest.assign(running.begin(), running.end());
        }
        stop.request_stop();
        for (const auto& each : rest) each->cancel();
    }
};

std::shared_ptr<Group::State> Group::make() { return std::make_shared<State>(); }

void Group::add(const std::shared_ptr<worker::FutureState>& future) {
    bool cancelled = false;
    {
        const std::lock_guard guard(state_->mutex);
        state_->running.insert(future);
        cancelled = state_->is_cancelled;
    }
    future->add_callback([state = state_, future] { state->ended(future); });
    if (cancelled) future->cancel();
}

std::shared_ptr<void> Group::start_one_by_one() {
    return std::make_shared<std::unique_lock<platform::CopyMutex>>(state_->starting);
}

void Group::cancel() { state_->cancel(); }

std::exception_ptr Group::wait() {
    for (;;) {
        std::shared_ptr<worker::FutureState> next;
        {
            const std::lock_guard guard(state_->mutex);
            if (state_->running.empty()) return std::exchange(state_->first, nullptr);
            next = *state_->running.begin();
        }
        next->wait_until_done({});
        state_->ended(next);  // its callback may not have come to it yet
    }
}

StopToken Group::stop_token() const noexcept { return state_->stop.get_token(); }

}  // namespace chorus::inline v0::detail::pool
