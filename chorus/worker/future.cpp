#include <chorus/worker/future.hpp>

#include <cstdio>

#include <chorus/message/outcome.hpp>

namespace chorus::worker {
namespace {

void call(const std::function<void()>& callback) {
    try {
        callback();
    } catch (...) {
        const auto failure = message::describe(std::current_exception());
        std::fprintf(stderr, "Exception in a future's callback:\n%s: %s\n", failure.type.c_str(), failure.message.c_str());
    }
}

bool ended(FutureState::Phase phase) { return phase == FutureState::Phase::finished || phase == FutureState::Phase::cancelled; }

}  // namespace

FutureState::Phase FutureState::phase() const {
    const std::lock_guard guard(mutex_);
    return phase_;
}

bool FutureState::is_done() const { return ended(phase()); }

void FutureState::wait_done(Deadline deadline) const {
    std::unique_lock lock(mutex_);
    const auto is_there = [this] { return ended(phase_); };
    if (deadline.is_never()) {
        done_.wait(lock, is_there);
    } else if (!done_.wait_until(lock, deadline.when(), is_there)) {
        throw TimedOut("the result was not there in time; the work goes on");
    }
}

void FutureState::set_canceller(std::function<bool()> cancel) {
    const std::lock_guard guard(mutex_);
    canceller_ = std::move(cancel);
}

bool FutureState::cancel() {
    std::function<bool()> canceller;
    {
        const std::lock_guard guard(mutex_);
        if (phase_ == Phase::cancelled) return true;
        if (phase_ == Phase::finished) return false;
        if (phase_ == Phase::running && !canceller_) return false;
        canceller = canceller_;
    }
    if (canceller && !canceller()) return false;
    return settle(Phase::cancelled, [this] { error_ = std::make_exception_ptr(Cancelled("the work was cancelled")); });
}

std::exception_ptr FutureState::error() const {
    const std::lock_guard guard(mutex_);
    return error_;
}

void FutureState::add_callback(std::function<void()> callback) {
    {
        const std::lock_guard guard(mutex_);
        if (!ended(phase_)) return callbacks_.push_back(std::move(callback));
    }
    call(callback);
}

void FutureState::set_running() {
    const std::lock_guard guard(mutex_);
    if (phase_ == Phase::pending) phase_ = Phase::running;
}

bool FutureState::set_error(std::exception_ptr error) {
    return settle(Phase::finished, [&] { error_ = std::move(error); });
}

bool FutureState::finish(const std::function<void()>& store) { return settle(Phase::finished, store); }

bool FutureState::settle(Phase phase, const std::function<void()>& store) {
    std::vector<std::function<void()>> callbacks;
    {
        const std::lock_guard guard(mutex_);
        if (ended(phase_)) return false;
        store();
        phase_ = phase;
        callbacks.swap(callbacks_);
        canceller_ = nullptr;
    }
    done_.notify_all();
    for (const auto& callback : callbacks) call(callback);
    return true;
}

}  // namespace chorus::worker
