#include <chorus/worker/future.hpp>

#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <vector>

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

struct FutureState::Core {
    std::mutex mutex;
    std::condition_variable done;
    Phase phase = Phase::pending;
    std::exception_ptr error;
    std::function<void()> stopper;
    std::vector<std::function<void()>> callbacks;
};

FutureState::FutureState() : core_(std::make_unique<Core>()) {}
FutureState::~FutureState() = default;

FutureState::Phase FutureState::phase() const {
    const std::lock_guard guard(core_->mutex);
    return core_->phase;
}

bool FutureState::is_done() const { return ended(phase()); }

void FutureState::wait_done(Deadline deadline) const {
    std::unique_lock lock(core_->mutex);
    const auto is_there = [this] { return ended(core_->phase); };
    if (deadline.is_never()) {
        core_->done.wait(lock, is_there);
    } else if (!core_->done.wait_until(lock, deadline.when(), is_there)) {
        throw TimedOut("the result was not there in time; the work goes on");
    }
}

void FutureState::set_stopper(std::function<void()> stop) {
    const std::lock_guard guard(core_->mutex);
    if (!ended(core_->phase)) core_->stopper = std::move(stop);
}

// First it is decided that the future is cancelled, and then the work is stopped: the other way round the
// work's violent end might be heard of in between, and be taken for the result.
bool FutureState::cancel() {
    std::function<void()> stop;
    std::vector<std::function<void()>> callbacks;
    {
        const std::lock_guard guard(core_->mutex);
        if (ended(core_->phase)) return core_->phase == Phase::cancelled;
        if (core_->phase == Phase::running && !core_->stopper) return false;
        core_->error = std::make_exception_ptr(Cancelled("the work was cancelled"));
        core_->phase = Phase::cancelled;
        stop = std::exchange(core_->stopper, nullptr);
        callbacks.swap(core_->callbacks);
    }
    if (stop) call(stop, "stopping what a cancelled future stood for");
    core_->done.notify_all();
    call_back(callbacks);
    return true;
}

std::exception_ptr FutureState::error() const {
    const std::lock_guard guard(core_->mutex);
    return core_->error;
}

void FutureState::add_callback(std::function<void()> callback) {
    {
        const std::lock_guard guard(core_->mutex);
        if (!ended(core_->phase)) return core_->callbacks.push_back(std::move(callback));
    }
    call_back({std::move(callback)});
}

void FutureState::set_running() {
    const std::lock_guard guard(core_->mutex);
    if (core_->phase == Phase::pending) core_->phase = Phase::running;
}

bool FutureState::set_error(std::exception_ptr error) {
    return finish([&] { core_->error = std::move(error); });
}

bool FutureState::finish(const std::function<void()>& store) {
    std::vector<std::function<void()>> callbacks;
    {
        const std::lock_guard guard(core_->mutex);
        if (ended(core_->phase)) return false;
        store();
        core_->phase = Phase::finished;
        callbacks.swap(core_->callbacks);
        core_->stopper = nullptr;
    }
    core_->done.notify_all();
    call_back(callbacks);
    return true;
}

}  // namespace chorus::worker
