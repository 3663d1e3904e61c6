// Future: a result that arrives later.
//
// A Future is a light value: copies mean the same result. Names and states follow Python's
// concurrent.futures.Future.
//
// Threads: every function may be called from any thread.
// Death: if the worker dies, the future ends with WorkerDied, TimedOut or OutOfMemory; it never hangs.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include <chorus/deadline.hpp>
#include <chorus/errors.hpp>

namespace chorus {

namespace worker {

/// A future's state without its value's type.
class FutureState {
public:
    enum class Phase { pending, running, cancelled, finished };

    FutureState();
    virtual ~FutureState();

    Phase phase() const;
    bool is_done() const;
    /// Throws: TimedOut when the deadline passes first.
    void wait_done(Deadline deadline) const;

    /// What ends the work once it runs. What it throws is reported on stderr.
    void set_stopper(std::function<void()> stop);
    bool cancel();

    /// The thrown exception; null if there is none. Requires: is_done().
    std::exception_ptr error() const;

    /// Runs at once if it is done already. What a callback throws is reported on stderr.
    void add_callback(std::function<void()> callback);

    void set_running();
    /// Each ends the future once; later ones are ignored and return false.
    bool set_error(std::exception_ptr error);

protected:
    /// `store` puts value or error in place under the lock.
    bool finish(const std::function<void()>& store);

private:
    struct Core;
    std::unique_ptr<Core> core_;
};

template <class T>
class TypedFutureState final : public FutureState {
public:
    using Stored = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

    bool set_value(Stored value) {
        return finish([&] { value_.emplace(std::move(value)); });
    }
    /// Requires: it is done, without an error.
    Stored& value() { return *value_; }

private:
    std::optional<Stored> value_;
};

}  // namespace worker

template <class T>
class Future {
public:
    /// The value, or the exception thrown again. May be repeated. Blocks: until it is there.
    /// Throws: TimedOut when the deadline passes first, Cancelled after cancel().
    T get(Deadline deadline = {}) const {
        state_->wait_done(deadline);
        if (const auto error = state_->error()) std::rethrow_exception(error);
        if constexpr (!std::is_void_v<T>) {
            if constexpr (std::is_copy_constructible_v<T>) {
                return state_->value();
            } else {
                return std::move(state_->value());
            }
        }
    }

    /// Has ended: with a value, an exception, or by cancel().
    bool done() const { return state_->is_done(); }
    bool running() const { return state_->phase() == worker::FutureState::Phase::running; }
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
        state_->add_callback([future = *this, function = std::move(function)]() mutable { function(future); });
    }

    /// For Chorus itself.
    explicit Future(std::shared_ptr<worker::TypedFutureState<T>> state) : state_(std::move(state)) {}

private:
    std::shared_ptr<worker::TypedFutureState<T>> state_;
};

}  // namespace chorus
