#include <chorus/worker/future.hpp>

#include <cstdio>

#include <chorus/message/outcome.hpp>

namespace chorus::worker {
namespace {

void call(const std::function<void()>& function, const char* what) {
    try {
        function();
    } catch (...) {
        const auto failure = message::describe(std::current_exception());
        std::fprintf(stderr, "Exception in %s:\n%s: %s\n", what, failure.type.c_str(), failure.message.c_str());
    }
}

void call_back(const std::vector<std::function<void()>>& callbacks) {
    for (const auto& callback : callbacks) call(callback, "a future's callback");
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

void FutureState::set_stopper(std::function<void()> stop) {
    const std::lock_guard guard(mutex_);
    if (!ended(phase_)) stopper_ = std::move(stop);
}

// First it is decided that the future is cancelled, and then the work is stopped: the other way round the
// work's violent end might be heard of in between, and be taken for the result.
bool FutureState::cancel() {
    std::function<void()> stop;
    Callbacks callbacks;
    {
        const std::lock_guard guard(mutex_);
        if (ended(phase_)) return phase_ == Phase::cancelled;
        if (phase_ == Phase::running && !stopper_) return false;
        error_ = std::make_exception_ptr(Cancelled("the work was cancelled"));
        phase_ = Phase::cancelled;
        stop = std::exchange(stopper_, nullptr);
        callbacks.swap(callbacks_);
    }
    if (stop) call(stop, "stopping what a cancelled future stood for");
    done_.notify_all();
    call_back(callbacks);
    return true;
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
    call_back({std::move(callback)});
}

void FutureState::set_running() {
    const std::lock_guard guard(mutex_);
    if (phase_ == Phase::pending) phase_ = Phase::running;
}

bool FutureState::set_error(std::exception_ptr error) {
    return finish([&] { error_ = std::move(error); });
}

bool FutureState::finish(const std::function<void()>& store) {
    Callbacks callbacks;
    {
        const std::lock_guard guard(mutex_);
        if (ended(phase_)) return false;
        store();
        phase_ = Phase::finished;
        callbacks.swap(callbacks_);
        stopper_ = nullptr;
    }
    done_.notify_all();
    call_back(callbacks);
    return true;
}

}  // namespace chorus::worker
