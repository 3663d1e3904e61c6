// The state of a future: one word, the outcome, and callbacks.
//
// Thread safety: any thread may make any call.
// Crash safety: of the worker: its pool or watcher ends the future with the error.
#pragma once

#include <chorus/detail/contract.hpp>

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

namespace chorus::inline v0::detail::worker {

class FutureState;

/// Runs work that a future depends on while a thread waits for that future: a pool.
class Helper {
public:
    Helper() = default;
    virtual ~Helper() = default;
    Helper(const Helper&) = delete;
    Helper& operator=(const Helper&) = delete;

    /// Waits for a future, and meanwhile does the work that it depends on. Returns false if the deadline
    /// passes first.
    virtual bool wait_for(const FutureState& goal, Deadline deadline) = 0;
    /// A future has ended: threads in wait_for() look again.
    virtual void wake_waiting() noexcept = 0;
};

/// A future's state without its value's type.
///
/// Invariant: the thread that moves `word_` out of pending or running, by one compare-and-swap, is the only
/// writer of the rest. So one of a result, an exception and a cancellation that race wins.
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

    /// Sets what ends the work once it runs; without it running work is not cancelled. Its exceptions are
    /// reported on stderr.
    /// Requires: no other thread has the future yet.
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
    /// Null once the future has ended: a kept future must not keep its pool's descriptors.
    std::shared_ptr<Helper> helper() const noexcept;

    /// Returns false if it is done already: by cancel().
    bool set_running() noexcept;
    /// It will be tried again: pending once more, if it is not done.
    void set_pending() noexcept;
    /// Each ends the future once; later ones are ignored and return false.
    bool set_error(std::exception_ptr error);

protected:
    [[noreturn]] static void throw_taken();
    /// From now on only the caller may end it, and must. Returns false if it is done, or another thread ends
    /// it.
    bool begin_to_end() noexcept;
    void end() noexcept;
    void give_up(std::exception_ptr error) noexcept;

    /// Whether it runs although set_running() was not called: asked of a pending future.
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
        has_waiters = 8
    };

    bool move_to_ending(bool from_running) noexcept;
    void end_as(Step step) noexcept;
    Callback* lock_callbacks() const noexcept;

    mutable std::atomic<std::uint32_t> word_{pending};
    std::exception_ptr error_;
    std::function<void()> stopper_;
    /// The newest first; the lowest bit locks the list and the helper.
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

}  // namespace chorus::inline v0::detail::worker

#pragma GCC visibility pop
