#include <chorus/future.hpp>

#include <cstdio>

#include <chorus/detail/message/callable.hpp>
#include <chorus/detail/message/outcome.hpp>
#include "platform/futex.hpp"
#include "platform/look.hpp"
#include "platform/os_thread.hpp"
#include "sync/waiting.hpp"
#include "trace/trace.hpp"

namespace chorus::inline v0::detail::worker {
namespace {

void call(const std::function<void()>& function, const char* what) {
    try {
        function();
    } catch (...) {
        const auto failure = message::describe(std::current_exception());
        std::fprintf(stderr, "Exception in %s:\n%s: %s\n", what, failure.type.c_str(),
                     failure.message.c_str());
    }
}

void call_back(const std::function<void()>& callback) { call(callback, "a future's callback"); }

}  // namespace

struct FutureState::Callback {
    std::function<void()> function;
    Callback* next = nullptr;
};

namespace {
constexpr std::uintptr_t locked = 1;
constexpr std::uintptr_t closed = 2;  ///< in place of a list: no more callbacks, they are called at once
}  // namespace

FutureState::~FutureState() {
    const auto list = callbacks_.load();
    if (list == closed) return;
    for (auto* each = reinterpret_cast<Callback*>(list); each != nullptr;)
        delete std::exchange(each, each->next);
}

// Returns the list, locked: it belongs to the caller until the caller stores one. Returns null if it is
// empty, and also if it is closed; then it is not locked.
FutureState::Callback* FutureState::lock_callbacks() const noexcept {
    platform::Look look;
    for (std::uintptr_t seen = callbacks_.load();;) {
        if (seen == closed) return nullptr;
        if ((seen & locked) != 0) {
            if (!look.again()) platform::yield_processor();
            seen = callbacks_.load();
        } else if (callbacks_.compare_exchange_weak(seen, seen | locked)) {
            return reinterpret_cast<Callback*>(seen);
        }
    }
}

std::shared_ptr<Helper> FutureState::helper() const noexcept {
    const auto* const list = lock_callbacks();
    if (callbacks_.load() == closed) return nullptr;
    auto copy = helper_;
    callbacks_ = reinterpret_cast<std::uintptr_t>(list);
    return copy;
}

bool FutureState::help_until(const FutureState& goal, Deadline deadline) const {
    const auto helping = helper();
    return helping ? helping->wait_for(goal, deadline) : goal.sleep_until_done(deadline);
}

FutureState::Phase FutureState::phase() const noexcept {
    switch (word_.load(std::memory_order_acquire) & step_mask) {
        case pending: return has_begun() ? Phase::running : Phase::pending;
        case cancelled: return Phase::cancelled;
        case finished: return Phase::finished;
        default: return Phase::running;
    }
}

bool FutureState::wait_until_done(Deadline deadline) const {
    if (is_done()) return true;
    if (deadline.has_passed()) return false;
    trace::Wait wait("Future.get");
    wait.begins();
    return help_until(*this, deadline);
}

void FutureState::wait_done(Deadline deadline) const {
    if (!wait_until_done(deadline)) throw TimedOut("the result was not there in time; the work goes on");
}

bool FutureState::sleep_until_done(Deadline deadline) const {
    if (sync::spin_until([this] { return is_done(); })) return true;
    sync::require_possible_waker(Sharing::threads, deadline);
    for (;;) {
        const std::uint32_t seen = word_.fetch_or(has_waiters) | has_waiters;
        if ((seen & step_mask) >= cancelled) return true;
        if (!platform::futex_wait(word_, seen, deadline) && !is_done()) return false;
    }
}

void FutureState::set_stopper(std::function<void()> stop) { stopper_ = std::move(stop); }

void FutureState::stop() {
    if (stopper_) call(stopper_, "stopping what a cancelled future stood for");
}

bool FutureState::move_to_ending(bool from_running) noexcept {
    std::uint32_t seen = word_.load();
    while ((seen & step_mask) == pending || (from_running && (seen & step_mask) == running)) {
        if (word_.compare_exchange_weak(seen, (seen & has_waiters) | ending)) return true;
    }
    return false;
}

// Cancellation is decided first, and the work is stopped afterwards. In the other order the end of the
// killed work could arrive in between, and become the result.
bool FutureState::cancel() {
    if (!move_to_ending(can_stop())) {
        platform::Look look;
        while ((word_.load() & step_mask) == ending) {  // another thread is about to store how it ended
            if (!look.again()) platform::yield_processor();
        }
        return phase() == Phase::cancelled;
    }
    error_ = std::make_exception_ptr(Cancelled("the work was cancelled"));
    stop();
    end_as(cancelled);
    return true;
}

void FutureState::throw_taken() {
    throw UsageError(
        "the value of this future can only be moved, and it was taken already: keep what get() returned, or "
        "let the function return something that can be copied, such as a std::shared_ptr");
}

bool FutureState::begin_to_end() noexcept { return move_to_ending(true); }
void FutureState::end() noexcept { end_as(finished); }

void FutureState::give_up(std::exception_ptr error) noexcept {
    error_ = std::move(error);
    end_as(finished);
}

void FutureState::end_as(Step step) noexcept {
    stopper_ = nullptr;  // it may hold a descriptor
    if ((word_.exchange(step) & has_waiters) != 0) platform::futex_wake_all(word_);
    if (helper_) helper_->wake_waiting();  // only this thread resets it
    Callback* newest = lock_callbacks();
    const auto helping = std::move(helper_);
    callbacks_ = closed;
    if (newest == nullptr) return;
    Callback* oldest = nullptr;
    while (newest != nullptr) {
        Callback* const next = newest->next;
        newest->next = std::exchange(oldest, newest);
        newest = next;
    }
    while (oldest != nullptr) {
        call_back(oldest->function);
        delete std::exchange(oldest, oldest->next);
    }
    if (helping) helping->wake_waiting();  // waiters for an effect of a callback
}

FutureState::Callback* FutureState::add_callback(std::function<void()> callback) {
    auto added = std::make_unique<Callback>();
    added->function = std::move(callback);
    added->next = lock_callbacks();
    if (callbacks_.load() == closed) {
        call_back(added->function);
        return nullptr;
    }
    if (is_done()) {  // and the thread that has ended it is about to close the list
        callbacks_ = reinterpret_cast<std::uintptr_t>(added->next);
        call_back(added->function);
        return nullptr;
    }
    callbacks_ = reinterpret_cast<std::uintptr_t>(added.get());
    return added.release();
}

void FutureState::remove_callback(Callback* callback) noexcept {
    Callback* list = lock_callbacks();
    if (callbacks_.load() == closed) return;
    for (Callback** each = &list; *each != nullptr; each = &(*each)->next) {
        if (*each != callback) continue;
        *each = callback->next;
        callbacks_ = reinterpret_cast<std::uintptr_t>(list);
        delete callback;
        return;
    }
    callbacks_ = reinterpret_cast<std::uintptr_t>(list);
}

bool FutureState::set_running() noexcept {
    std::uint32_t seen = word_.load();
    while ((seen & step_mask) == pending) {
        if (word_.compare_exchange_weak(seen, (seen & has_waiters) | running)) return true;
    }
    return (seen & step_mask) == running;
}

void FutureState::set_pending() noexcept {
    std::uint32_t seen = word_.load();
    while ((seen & step_mask) == running) {
        if (word_.compare_exchange_weak(seen, (seen & has_waiters) | pending)) return;
    }
}

bool FutureState::set_error(std::exception_ptr error) {
    if (!begin_to_end()) return false;
    give_up(std::move(error));
    return true;
}

void write_future(std::ostream& out, const FutureState& state, const std::type_info& type) {
    out << "<Future at " << static_cast<const void*>(&state) << " state=";
    switch (state.phase()) {
        case FutureState::Phase::pending: out << "pending"; break;
        case FutureState::Phase::running: out << "running"; break;
        case FutureState::Phase::cancelled: out << "cancelled"; break;
        case FutureState::Phase::finished:
            if (const auto error = state.error()) {
                out << "finished raised " << message::describe(error).type;
            } else {
                out << "finished returned " << message::readable_type(type);
            }
    }
    out << ">";
}

}  // namespace chorus::inline v0::detail::worker
