// wait and as_completed: which of several futures are done.
//
//     auto [done, not_done] = chorus::wait(futures, {.return_when = chorus::FIRST_COMPLETED});
//     for (auto& future : chorus::as_completed(futures)) use(future.get());
//
// Semantics: Python's concurrent.futures.wait and as_completed. Futures of threads, of processes and of
// several pools may be mixed.
//
// Threads: any number at once, also for the same futures.
// Death: a worker's death ends its future, and so the wait for it.
#pragma once

#include <cstddef>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <chorus/future.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus {

namespace worker {

/// Some futures, one after the other as they end.
/// Threads: one at a time; the futures may be ended by any.
class Arrivals {
public:
    Arrivals();
    ~Arrivals();
    Arrivals(Arrivals&&) noexcept = default;
    Arrivals& operator=(Arrivals&&) = delete;

    /// One that is expected already is not expected twice.
    void expect(std::shared_ptr<FutureState> future);
    std::size_t expected() const noexcept { return expected_.size(); }

    /// The next one that has ended, not expected any more; null when the deadline passed first. Those that
    /// were done when they were expected come first. Requires: one is expected.
    std::shared_ptr<FutureState> next(Deadline deadline);

private:
    struct Ended;
    struct Expected {
        std::shared_ptr<FutureState> future;
        FutureState::Callback* callback = nullptr;
        const Helper* helped = nullptr;  ///< whom one would help by waiting for it; a name and nothing more
    };

    std::shared_ptr<Ended> ended_;
    std::unordered_map<const FutureState*, Expected> expected_;
    std::map<const Helper*, std::size_t> helped_;  ///< how many of the expected ones have the same
};

template <class T>
struct IsFuture : std::false_type {};
template <class T>
struct IsFuture<Future<T>> : std::true_type {};

}  // namespace worker

/// When wait() returns, if its deadline does not pass first.
enum class ReturnWhen { first_completed, first_exception, all_completed };
/// as soon as one is done
inline constexpr ReturnWhen FIRST_COMPLETED = ReturnWhen::first_completed;
inline constexpr ReturnWhen FIRST_EXCEPTION = ReturnWhen::first_exception;  ///< or when all are done
/// when all are done
inline constexpr ReturnWhen ALL_COMPLETED = ReturnWhen::all_completed;

/// How long wait() waits, and for what.
struct WaitOptions {
    Deadline timeout{};                      ///< for ever, if nothing is said
    ReturnWhen return_when = ALL_COMPLETED;  ///< all, if nothing is said
};

/// What wait() has found: each future is in one of both.
template <class T>
struct Waited {
    std::vector<Future<T>> done;      ///< in the order in which they were given, each once
    std::vector<Future<T>> not_done;  ///< the same
};

/// Futures of one type, in any range.
template <class Range>
concept RangeOfFutures = std::ranges::input_range<Range> &&
                         worker::IsFuture<std::remove_cvref_t<std::ranges::range_reference_t<Range>>>::value;

/// Waits for some futures, or all. Returns what is done and what is not, also when the timeout passed. A
/// cancelled one is done, without an exception.
template <RangeOfFutures Range>
auto wait(Range&& futures, WaitOptions options = {}) {
    using OneFuture = std::remove_cvref_t<std::ranges::range_reference_t<Range>>;
    worker::Arrivals arrivals;
    std::vector<OneFuture> all;
    for (auto&& future : futures) {
        const std::size_t before = arrivals.expected();
        arrivals.expect(future.state());
        if (arrivals.expected() != before) all.push_back(future);
    }
    bool enough = false;
    while (arrivals.expected() > 0) {
        // What is done already is looked through whatever the deadline says.
        const auto ended = arrivals.next(enough ? Deadline(now) : options.timeout);
        if (!ended) break;
        const bool raised =
            ended->phase() == worker::FutureState::Phase::finished && ended->error() != nullptr;
        enough = enough || options.return_when == FIRST_COMPLETED ||
                 (options.return_when == FIRST_EXCEPTION && raised);
    }
    Waited<typename OneFuture::Value> result;
    for (auto& future : all) (future.done() ? result.done : result.not_done).push_back(std::move(future));
    return result;
}

/// The futures of as_completed, to be iterated once.
template <class T>
class Completed {
public:
    /// Made by as_completed().
    Completed(worker::Arrivals arrivals, Deadline deadline)
        : arrivals_(std::move(arrivals)), all_(arrivals_.expected()), deadline_(deadline) {}

    /// The next one that is done; nothing when all were. Throws: TimedOut.
    std::optional<Future<T>> next() {
        if (arrivals_.expected() == 0) return std::nullopt;
        auto ended = arrivals_.next(deadline_);
        if (!ended)
            throw TimedOut(std::to_string(arrivals_.expected()) + " (of " + std::to_string(all_) +
                           ") futures unfinished");
        return Future<T>(std::static_pointer_cast<worker::TypedFutureState<T>>(std::move(ended)));
    }

    class iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = Future<T>;
        using difference_type = std::ptrdiff_t;
        using pointer = Future<T>*;
        using reference = Future<T>&;

        iterator() = default;
        explicit iterator(Completed* completed) : completed_(completed) { ++*this; }
        Future<T>& operator*() const noexcept { return *completed_->at_; }
        Future<T>* operator->() const noexcept { return &*completed_->at_; }
        iterator& operator++() {
            completed_->at_.reset();  // its value goes with the last who has it
            completed_->at_ = completed_->next();
            if (!completed_->at_) completed_ = nullptr;
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const iterator&, const iterator&) noexcept = default;

    private:
        Completed* completed_ = nullptr;
    };
    /// Waits for the first one. Throws: TimedOut.
    iterator begin() { return iterator(this); }
    /// Where a loop ends.
    iterator end() { return {}; }

private:
    worker::Arrivals arrivals_;
    std::size_t all_;
    Deadline deadline_;
    std::optional<Future<T>> at_;
};

/// Each future as soon as it is done; the deadline is for all of them together, and counts from now. Each is
/// let go of when the next one is asked for.
template <RangeOfFutures Range>
auto as_completed(Range&& futures, Deadline deadline = {}) {
    worker::Arrivals arrivals;
    for (auto&& future : futures) arrivals.expect(future.state());
    return Completed<typename std::remove_cvref_t<std::ranges::range_reference_t<Range>>::Value>(
        std::move(arrivals), deadline);
}

}  // namespace chorus

#pragma GCC visibility pop
