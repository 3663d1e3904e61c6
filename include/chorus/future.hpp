// Future: a result that arrives later; and wait and as_completed: which of several futures are done.
//
//     chorus::Future<int> f = pool.submit(square, 3);      // or mp::async(square, 3)
//     int y = f.get(1s);
//     auto [done, not_done] = chorus::wait(futures, {.return_when = chorus::FIRST_COMPLETED});
//     for (auto& future : chorus::as_completed(futures)) use(future.get());
//
// Semantics: names and states follow Python's concurrent.futures. A Future is a light value: its copies refer
// to the same result. Futures of threads, of processes and of several pools may be mixed.
//
// Thread safety: any thread may make any call.
// Crash safety: if the worker dies, the future ends with WorkerDied, TimedOut or OutOfMemory, and with it the
//        waits for the future.
#pragma once

#include <chorus/version.hpp>

#include <cstddef>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <ostream>
#include <ranges>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include <chorus/deadline.hpp>
#include <chorus/detail/handle.hpp>
#include <chorus/detail/pull_iterator.hpp>
#include <chorus/detail/worker/arrivals.hpp>
#include <chorus/detail/worker/future_state.hpp>
#include <chorus/errors.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0 {

/// The result of a call that may still run: of mp::async() and of pools.
template <class T>
class Future {
public:
    /// The type of the value.
    using Value = T;

    /// Refers to no call, to be assigned to: valid() is false, and all other calls throw UsageError.
    Future() noexcept = default;

    /// Waits for the end. Returns the value, or throws the call's exception. May be repeated, except for a
    /// value that can only be moved: the first get() takes it.
    /// Throws: TimedOut if the deadline passes first; Cancelled after cancel(); UsageError if the value was
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

    /// The same; moves the value out if no other handle refers to it.
    T get(Deadline deadline = {}) && {
        if constexpr (!std::is_void_v<T> && std::is_copy_constructible_v<T>) {
            state_->wait_done(deadline);
            const auto ours =
                state_.shared();  // orders this thread behind those that have dropped their handle
            if (ours.use_count() == 2 && ours->error() == nullptr) return std::move(ours->value());
        }
        return std::as_const(*this).get(deadline);
    }

    /// Whether it has ended: with a value, an exception, or by cancel().
    bool done() const { return state_->is_done(); }
    /// Whether the call has begun and has not ended.
    bool running() const { return state_->phase() == detail::worker::FutureState::Phase::running; }
    /// Whether cancel() has succeeded.
    bool cancelled() const { return state_->phase() == detail::worker::FutureState::Phase::cancelled; }

    /// Ends the work: a worker process is killed. Returns true if the future is cancelled by this call or was
    /// before; false if the work had ended, or cannot be stopped once it runs.
    bool cancel() const { return state_->cancel(); }

    /// Waits for the end. Returns the exception that get() would throw; null for a value. Throws: TimedOut if
    /// the deadline passes first; Cancelled after cancel().
    std::exception_ptr exception(Deadline deadline = {}) const {
        state_->wait_done(deadline);
        if (cancelled()) std::rethrow_exception(state_->error());
        return state_->error();
    }

    /// Calls function(*this) once it is done, in the thread that ends it; immediately if it is done already.
    template <class Function>
    void add_done_callback(Function function) const {
        // A copy of the state would keep itself alive: the callback holds it while it is due.
        state_->add_callback(
            [future = *this, function = std::move(function)]() mutable { function(future); });
    }

    /// A future for what the function makes of the value, in the thread that ends this one; immediately if it
    /// is done already. Not called on error or cancellation; both propagate.
    template <class Function>
    auto then(Function function) const {
        using Result = std::decay_t<decltype(call_with_value(function, *this))>;
        auto next = std::make_shared<detail::worker::TypedFutureState<Result>>();
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
        return detail::Access::make<Future<Result>>(std::move(next));
    }

    /// Whether the handle refers to a call: false if it was made without arguments, or was moved from.
    bool valid() const noexcept { return static_cast<bool>(state_); }

    /// <Future at 0x55d0c0 state=finished returned int>; pending, running, cancelled, finished raised Type.
    friend std::ostream& operator<<(std::ostream& out, const Future& future) {
        detail::worker::write_future(out, *future.state_, typeid(T));
        return out;
    }
    /// Whether both refer to the same call.
    friend bool operator==(const Future& a, const Future& b) noexcept { return a.state_ == b.state_; }

private:
    friend detail::Access;
    explicit Future(std::shared_ptr<detail::worker::TypedFutureState<T>> state) : state_(std::move(state)) {}

    template <class Function>
    static decltype(auto) call_with_value(Function& function, const Future& future) {
        if constexpr (std::is_void_v<T>) {
            future.get();
            return function();
        } else {
            return function(future.get());
        }
    }

    detail::Handle<detail::worker::TypedFutureState<T>> state_;
};

/// When wait() returns, if its deadline does not pass first.
enum class ReturnWhen { first_completed, first_exception, all_completed };
/// When one future is done.
inline constexpr ReturnWhen FIRST_COMPLETED = ReturnWhen::first_completed;
/// When one future has failed, or all are done.
inline constexpr ReturnWhen FIRST_EXCEPTION = ReturnWhen::first_exception;
/// When all futures are done.
inline constexpr ReturnWhen ALL_COMPLETED = ReturnWhen::all_completed;

/// Options of wait().
struct WaitOptions {
    Deadline timeout{};                      ///< no limit, if left out
    ReturnWhen return_when = ALL_COMPLETED;  ///< what is waited for
};

/// The result of wait(): each future is in one of the two lists, once, in the order in which it was given.
template <class T>
struct Waited {
    std::vector<Future<T>> done;      ///< also cancelled ones
    std::vector<Future<T>> not_done;  ///< all others
};

namespace detail::worker {
template <class T>
struct IsFuture : std::false_type {};
template <class T>
struct IsFuture<Future<T>> : std::true_type {};
}  // namespace detail::worker

/// A range of futures of one type.
template <class Range>
concept RangeOfFutures =
    std::ranges::input_range<Range> &&
    detail::worker::IsFuture<std::remove_cvref_t<std::ranges::range_reference_t<Range>>>::value;

/// Waits for some futures, or all. Returns those that are done and those that are not, also if the timeout
/// passes first. A cancelled future counts as done without an exception.
template <RangeOfFutures Range>
auto wait(Range&& futures, WaitOptions options = {}) {
    using OneFuture = std::remove_cvref_t<std::ranges::range_reference_t<Range>>;
    detail::worker::Arrivals arrivals;
    std::vector<OneFuture> all;
    for (auto&& future : futures) {
        const std::size_t before = arrivals.expected();
        arrivals.expect(detail::Access::state(future));
        if (arrivals.expected() != before) all.push_back(future);
    }
    bool enough = false;
    while (arrivals.expected() > 0) {
        // What is done already is looked through whatever the deadline says.
        const auto ended = arrivals.next(enough ? Deadline(now) : options.timeout);
        if (!ended) break;
        const bool raised =
            ended->phase() == detail::worker::FutureState::Phase::finished && ended->error() != nullptr;
        enough = enough || options.return_when == FIRST_COMPLETED ||
                 (options.return_when == FIRST_EXCEPTION && raised);
    }
    Waited<typename OneFuture::Value> result;
    for (auto& future : all) (future.done() ? result.done : result.not_done).push_back(std::move(future));
    return result;
}

/// The range that as_completed() returns, to be iterated once.
template <class T>
class Completed {
public:
    /// The next future that is done; nothing when all were. Throws: TimedOut if the deadline passes first.
    std::optional<Future<T>> next() {
        if (arrivals_.expected() == 0) return std::nullopt;
        auto ended = arrivals_.next(deadline_);
        if (!ended)
            throw TimedOut(std::to_string(arrivals_.expected()) + " (of " + std::to_string(all_) +
                           ") futures unfinished");
        return detail::Access::make<Future<T>>(
            std::static_pointer_cast<detail::worker::TypedFutureState<T>>(std::move(ended)));
    }

private:
    struct Pull {
        Completed* completed;
        bool pull(std::optional<Future<T>>& future) {
            future.reset();  // its value is freed with its last handle
            future = completed->next();
            return future.has_value();
        }
    };

public:
    /// An input iterator over the futures.
    using iterator = detail::PullIterator<Future<T>, Pull>;
    /// Waits for the first one. Throws: TimedOut.
    iterator begin() { return iterator(Pull{this}); }
    /// The end of a loop: all were done.
    std::default_sentinel_t end() const noexcept { return {}; }

private:
    friend detail::Access;
    Completed(detail::worker::Arrivals arrivals, Deadline deadline)
        : arrivals_(std::move(arrivals)), all_(arrivals_.expected()), deadline_(deadline) {}

    detail::worker::Arrivals arrivals_;
    std::size_t all_;
    Deadline deadline_;
};

/// Each future as soon as it is done. The deadline is for all of them together, and counts from this call.
/// The range drops each future when the next one is asked for.
template <RangeOfFutures Range>
auto as_completed(Range&& futures, Deadline deadline = {}) {
    detail::worker::Arrivals arrivals;
    for (auto&& future : futures) arrivals.expect(detail::Access::state(future));
    using Value = typename std::remove_cvref_t<std::ranges::range_reference_t<Range>>::Value;
    return detail::Access::make<Completed<Value>>(std::move(arrivals), deadline);
}

}  // namespace chorus::inline v0

#pragma GCC visibility pop
