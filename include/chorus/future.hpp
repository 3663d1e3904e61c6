// Future: a result that arrives later.
//
// A Future is a light value: copies mean the same result. Names and states follow Python's
// concurrent.futures.Future.
//
// Threads: every function may be called from any thread.
// Death: if the worker dies, the future ends with WorkerDied, TimedOut or OutOfMemory; it never hangs.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <variant>

#include <chorus/deadline.hpp>
#include <chorus/errors.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus {

namespace worker {

class FutureState;

/// Who has something to do for futures that others wait for: a pool.
class Helper {
public:
    Helper() = default;
    virtual ~Helper() = default;
    Helper(const Helper&) = delete;
    Helper& operator=(const Helper&) = delete;

    /// Waits for a future that depends on its work, and does meanwhile what there is to do for that. Returns
    /// false when the deadline passed first.
    virtual bool wait_for(const FutureState& goal, Deadline deadline) = 0;
    /// Some future has ended: whoever waits in wait_for() looks again.
    virtual void wake_waiting() noexcept = 0;
};

/// A future's state without its value's type.
///
/// One word says how far it is, and who moves it out of pending or running may write the rest: so a result,
/// an exception and a cancellation that come at the same time are decided by one compare-and-swap.
class FutureState {
public:
    enum class Phase : std::uint32_t { pending, running, cancelled, finished };

    explicit FutureState(std::shared_ptr<Helper> helper = nullptr) noexcept : helper_(std::move(helper)) {}
    virtual ~FutureState();
    FutureState(const FutureState&) = delete;
    FutureState& operator=(const FutureState&) = delete;

    Phase phase() const noexcept;
    bool is_done() const noexcept { return (word_.load() & step_mask) >= cancelled; }
    /// Returns false when the deadline passed first.
    bool wait_until_done(Deadline deadline) const;
    /// The same, and does nothing for it.
    bool sleep_until_done(Deadline deadline) const;
    /// Throws: TimedOut when the deadline passes first.
    void wait_done(Deadline deadline) const;

    /// What ends the work once it runs; without it running work is not cancelled. What it throws is reported
    /// on stderr.
    /// Requires: nobody else has the future yet.
    void set_stopper(std::function<void()> stop);
    bool cancel();

    /// The thrown exception; null if there is none. Requires: is_done().
    std::exception_ptr error() const { return error_; }

    struct Callback;
    /// Runs at once if it is done already, and then returns null. What a callback throws is reported on
    /// stderr.
    Callback* add_callback(std::function<void()> callback);
    /// Nothing is done if it runs, or has run. Requires: a callback added to this future, removed once.
    void remove_callback(Callback* callback) noexcept;

    /// Waits for another future as it waits for itself: who can do something for this one meanwhile does.
    /// Returns false when the deadline passed first.
    bool help_until(const FutureState& goal, Deadline deadline) const;
    /// Null once the future has ended: somebody may keep it when its pool, and what that holds, is long gone.
    std::shared_ptr<Helper> helper() const noexcept;

    /// Returns false if it is done already: by cancel().
    bool set_running() noexcept;
    /// It will be tried again: pending once more, if it is not done.
    void set_pending() noexcept;
    /// Each ends the future once; later ones are ignored and return false.
    bool set_error(std::exception_ptr error);

protected:
    [[noreturn]] static void throw_taken();
    /// From now on only the caller may end it, and must. Returns false if it is done, or somebody else is at
    /// it.
    bool begin_to_end() noexcept;
    void end() noexcept;
    void give_up(std::exception_ptr error) noexcept;

    /// Whether it runs although nobody has said so: asked of what is pending.
    virtual bool has_begun() const noexcept { return false; }
    /// Whether the work can be ended once it runs.
    virtual bool can_stop() const noexcept { return stopper_ != nullptr; }
    /// Ends it. It is cancelled already: what becomes of it is ignored.
    virtual void stop();

private:
    enum Step : std::uint32_t {
        pending,
        running,
        ending,
        cancelled,
        finished,
        step_mask = 7,
        somebody_waits = 8
    };

    bool move_to_ending(bool from_running) noexcept;
    void end_as(Step step) noexcept;
    Callback* lock_callbacks() const noexcept;

    mutable std::atomic<std::uint32_t> word_{pending};
    std::exception_ptr error_;
    std::function<void()> stopper_;
    /// The newest first; the lowest bit: somebody changes them, or the helper.
    mutable std::atomic<std::uintptr_t> callbacks_{0};
    std::shared_ptr<Helper> helper_;
};

template <class T>
class TypedFutureState : public FutureState {
public:
    using Stored = std::conditional_t<std::is_void_v<T>, std::monostate, T>;
    using FutureState::FutureState;

    bool set_value(Stored value) {
        if (!begin_to_end()) return false;
        try {
            value_.emplace(std::move(value));
        } catch (...) {
            give_up(std::current_exception());
            return true;
        }
        end();
        return true;
    }
    /// Requires: it is done, without an error.
    Stored& value() { return *value_; }
    /// The same for a value that cannot be copied: it can be taken once. Throws: UsageError.
    Stored take_only_value() {
        if (is_taken_.exchange(true)) throw_taken();
        return std::move(*value_);
    }

private:
    std::optional<Stored> value_;
    std::atomic<bool> is_taken_{false};
};

void write_future(std::ostream& out, const FutureState& state, const std::type_info& type);

}  // namespace worker

/// The result of a call that may still run: of mp::async() and of pools. A handle: copies are the same
/// future, for any thread.
template <class T>
class Future {
public:
    /// What get() gives.
    using Value = T;

    /// The value, or the exception thrown again. May be repeated, but for a value that can only be moved: the
    /// first one takes it. Blocks: until it is there.
    /// Throws: TimedOut when the deadline passes first, Cancelled after cancel(), UsageError if the value was
    /// taken.
    T get(Deadline deadline = {}) const& {
        state_->wait_done(deadline);
        if (const auto error = state_->error()) std::rethrow_exception(error);
        if constexpr (!std::is_void_v<T>) {
            if constexpr (std::is_copy_constructible_v<T>) {
                return state_->value();
            } else {
                return state_->take_only_value();
            }
        }
    }

    /// The same for a future that nobody keeps: the value is not copied.
    T get(Deadline deadline = {}) && {
        if constexpr (!std::is_void_v<T> && std::is_copy_constructible_v<T>) {
            state_->wait_done(deadline);
            const auto ours = state_;  // behind whoever had it and let it go
            if (ours.use_count() == 2 && ours->error() == nullptr) return std::move(ours->value());
        }
        return std::as_const(*this).get(deadline);
    }

    /// Has ended: with a value, an exception, or by cancel().
    bool done() const { return state_->is_done(); }
    /// Whether its call has begun and has not ended.
    bool running() const { return state_->phase() == worker::FutureState::Phase::running; }
    /// Whether cancel() has succeeded.
    bool cancelled() const { return state_->phase() == worker::FutureState::Phase::cancelled; }

    /// Ends the work: a worker process is killed. Returns: true if the future is cancelled by this or was
    /// before; false if the work had ended, or cannot be stopped once it runs.
    bool cancel() const { return state_->cancel(); }

    /// What get() would throw; null for a value. Blocks and throws as get() does, and throws Cancelled.
    std::exception_ptr exception(Deadline deadline = {}) const {
        state_->wait_done(deadline);
        if (cancelled()) std::rethrow_exception(state_->error());
        return state_->error();
    }

    /// Calls function(*this) when it is done, in the thread that ends it; at once if it is done already.
    template <class Function>
    void add_done_callback(Function function) const {
        // A copy of the state would keep itself alive for ever: the callback holds it while it is due.
        state_->add_callback(
            [future = *this, function = std::move(function)]() mutable { function(future); });
    }

    /// A future for what the function makes of the value, in the thread that ends this one; at once if it is
    /// done already. An exception or a cancellation passes the function by.
    template <class Function>
    auto then(Function function) const {
        using Result = std::decay_t<decltype(call_with_value(function, *this))>;
        auto next = std::make_shared<worker::TypedFutureState<Result>>();
        state_->add_callback([future = *this, next, function = std::move(function)]() mutable {
            if (future.cancelled()) {
                next->cancel();
                return;
            }
            try {
                if constexpr (std::is_void_v<Result>) {
                    call_with_value(function, future);
                    next->set_value({});
                } else {
                    next->set_value(call_with_value(function, future));
                }
            } catch (...) {
                next->set_error(std::current_exception());
            }
        });
        return Future<Result>(std::move(next));
    }

    /// <Future at 0x55d0c0 state=finished returned int>; pending, running, cancelled, finished raised Type.
    friend std::ostream& operator<<(std::ostream& out, const Future& future) {
        worker::write_future(out, *future.state_, typeid(T));
        return out;
    }
    /// Whether both are the same future.
    friend bool operator==(const Future& a, const Future& b) noexcept { return a.state_ == b.state_; }

    /// For Chorus itself.
    const std::shared_ptr<worker::TypedFutureState<T>>& state() const noexcept { return state_; }
    /// Made by the library.
    explicit Future(std::shared_ptr<worker::TypedFutureState<T>> state) : state_(std::move(state)) {}

private:
    template <class Function>
    static decltype(auto) call_with_value(Function& function, const Future& future) {
        if constexpr (std::is_void_v<T>) {
            future.get();
            return function();
        } else {
            return function(future.get());
        }
    }

    std::shared_ptr<worker::TypedFutureState<T>> state_;
};

}  // namespace chorus

#pragma GCC visibility pop
