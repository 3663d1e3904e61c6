#include <chorus/detail/worker/arrivals.hpp>

#include <deque>
#include <mutex>

#include "platform/copy_mutex.hpp"
#include "trace/trace.hpp"

namespace chorus::inline v0::detail::worker {

// Shared with callbacks, which may run while the Arrivals is destroyed.
struct Arrivals::Ended {
    platform::CopyMutex mutex;
    std::deque<const FutureState*> futures;
    std::shared_ptr<TypedFutureState<void>> bell;

    void add(const FutureState* future) {
        std::shared_ptr<TypedFutureState<void>> waits;
        {
            const std::lock_guard guard(mutex);
            futures.push_back(future);
            waits = std::exchange(bell, nullptr);
        }
        if (waits) waits->set_value({});
    }
};

Arrivals::Arrivals() : ended_(std::make_shared<Ended>()) {}

Arrivals::~Arrivals() {
    for (const auto& [key, expected] : expected_) {
        if (expected.callback != nullptr) expected.future->remove_callback(expected.callback);
    }
}

void Arrivals::expect(std::shared_ptr<FutureState> future) {
    const auto [place, is_new] = expected_.try_emplace(future.get());
    if (!is_new) return;
    place->second.helped = future->helper().get();
    ++helped_[place->second.helped];
    place->second.future = future;
    place->second.callback = future->add_callback([ended = ended_, key = future.get()] { ended->add(key); });
}

std::shared_ptr<FutureState> Arrivals::next(Deadline deadline) {
    trace::Wait wait("as_completed");
    for (;;) {
        std::shared_ptr<TypedFutureState<void>> bell;
        {
            const std::lock_guard guard(ended_->mutex);
            if (!ended_->futures.empty()) {
                auto node = expected_.extract(ended_->futures.front());
                ended_->futures.pop_front();
                const auto helped = helped_.find(node.mapped().helped);
                if (--helped->second == 0) helped_.erase(helped);
                return std::move(node.mapped().future);
            }
            bell = ended_->bell = std::make_shared<TypedFutureState<void>>();
        }
        // A thread that helps one pool is woken by that pool's results alone. With several kinds of
        // work it sleeps on the bell, and other threads have to help.
        wait.begins();
        const bool one_kind = helped_.size() == 1;
        if (!(one_kind ? expected_.begin()->second.future->help_until(*bell, deadline)
                       : bell->sleep_until_done(deadline)))
            return nullptr;
    }
}

}  // namespace chorus::inline v0::detail::worker
