// imap: results one after the other, from a range that may be endless.
//
// Thread safety: one thread at a time for each range of results.
// Crash safety: as the pool's.
#pragma once

#include <chorus/detail/contract.hpp>

#include <atomic>
#include <cstddef>
#include <deque>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include <chorus/detail/handle.hpp>
#include <chorus/detail/pool/backend.hpp>
#include <chorus/detail/pool/progress_meter.hpp>
#include <chorus/detail/pull_iterator.hpp>
#include <chorus/future.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0 {

namespace detail::pool {

/// Takes items from a range, a few at a time. If the range throws it ends there, as a generator does,
/// and those that were to go with the one that could not be had are lost, as with Python's.
template <class View>
class Source {
public:
    explicit Source(View view) : view_(std::move(view)) {}

    std::vector<std::ranges::range_value_t<View>> take(std::size_t most) {
        std::vector<std::ranges::range_value_t<View>> items;
        try {
            while (!is_over_ && items.size() < most) take_one(items);
        } catch (...) {
            is_over_ = true;
            throw;
        }
        return items;
    }

private:
    void take_one(std::vector<std::ranges::range_value_t<View>>& items) {
        if (std::exchange(is_at_item_, false)) ++*at_;
        if (!at_) at_.emplace(std::ranges::begin(view_));
        if (*at_ == std::ranges::end(view_)) {
            is_over_ = true;
            return;
        }
        items.push_back(**at_);
        is_at_item_ = true;  // moved on only when the next one is wanted: exactly as many are taken as were
                             // asked for
    }

    View view_;
    std::optional<std::ranges::iterator_t<View>> at_;
    bool is_at_item_ = false;
    bool is_over_ = false;
};

/// A chunk that was submitted, and its bytes in flight.
template <class Part>
struct OnTheWay {
    Future<Part> future;
    const std::atomic<std::size_t>* bytes;  ///< live as long as the future
    std::size_t items;
};
struct Window {
    std::size_t tasks;
    std::size_t bytes;
};

/// Submits the next chunk; returns nothing at the end of the range. A virtual function, because
/// std::function compiles to three times as much code for each call site.
template <class Part>
class Feed {
public:
    virtual ~Feed() = default;
    virtual std::optional<OnTheWay<Part>> next() = 0;
};
template <class Part, class Function>
class FeedBy final : public Feed<Part> {
public:
    explicit FeedBy(Function&& function) : function_(std::move(function)) {}
    std::optional<OnTheWay<Part>> next() override { return function_(); }

private:
    Function function_;
};

/// A range of results, to be iterated once. Dropped before its end, it cancels what no worker has
/// begun.
template <class Result, bool ordered>
class Results {
    using Part = std::vector<Result>;
    using Feed = std::unique_ptr<pool::Feed<Part>>;

public:
    Results(Feed feed, Window window, std::shared_ptr<ProgressMeter> meter)
        : state_(std::make_unique<State>(std::move(feed), window, std::move(meter))) {}

    /// The next result; nothing at the end. Throws: the exception in its place; TimedOut; UsageError
    /// if the results were moved from. May be called again.
    std::optional<Result> next(Deadline deadline = {}) {
        if (state_ == nullptr) refuse_empty_handle();
        return state_->next(deadline);
    }

private:
    struct Pull {
        Results* results;
        // The last result stays where it is if there is an exception in place of the next.
        bool pull(std::optional<Result>& item) {
            auto next = results->next();
            const bool is_there = next.has_value();
            item.reset();
            if (is_there) item.emplace(*std::move(next));
            return is_there;
        }
    };

public:
    using iterator = PullIterator<Result, Pull>;
    iterator begin() { return iterator(Pull{this}); }
    std::default_sentinel_t end() const noexcept { return {}; }

private:
    class State {
    public:
        State(Feed feed, Window window, std::shared_ptr<ProgressMeter> meter)
            : feed_(std::move(feed)), window_(window), meter_(std::move(meter)) {}
        ~State() {
            if (meter_) meter_->close();
            for (const auto& each : on_the_way_) {
                if (!each.future.running()) each.future.cancel();
            }
        }
        State(const State&) = delete;
        State& operator=(const State&) = delete;

        std::optional<Result> next(Deadline deadline) {
            while (at_ == part_.size()) {
                fill();
                if (on_the_way_.empty()) {
                    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
                    if (meter_) {
                        meter_->end();
                        meter_->close();
                    }
                    return std::nullopt;
                }
                const Future<Part> future = take(deadline);
                part_.clear();
                at_ = 0;
                part_ = std::move(part_of(future));
            }
            return std::move(part_[at_++]);
        }

    private:
        static Part& part_of(const Future<Part>& future) {
            const auto& state = Access::state(future);
            if (const auto error = state->error()) std::rethrow_exception(error);
            return state->value();
        }

        void fill() {
            std::size_t bytes = 0;
            for (const auto& each : on_the_way_) bytes += *each.bytes;
            while (!at_end_ && !failure_ &&
                   (on_the_way_.empty() || (on_the_way_.size() < window_.tasks && bytes < window_.bytes))) {
                try {
                    auto next = feed_->next();
                    if (!next) {
                        at_end_ = true;
                        return;
                    }
                    bytes += *next->bytes;
                    if constexpr (!ordered) arrivals_.expect(Access::state(next->future));
                    on_the_way_.push_back(std::move(*next));
                } catch (...) {
                    // Of the range, or of a pool that takes no more: told when its turn has come, and
                    // the last.
                    failure_ = std::current_exception();
                    at_end_ = true;
                }
            }
        }

        // The next one that has ended; it is not in flight any more.
        Future<Part> take(Deadline deadline) {
            auto which = on_the_way_.begin();
            if constexpr (ordered) {
                Access::state(which->future)->wait_done(deadline);
            } else {
                const auto ended = arrivals_.next(deadline);
                if (!ended) throw TimedOut("no result came in time; the work goes on");
                which = std::ranges::find_if(
                    on_the_way_, [&](const auto& each) { return Access::state(each.future) == ended; });
            }
            Future<Part> taken = std::move(which->future);
            items_taken_ += which->items;
            on_the_way_.erase(which);
            if (meter_) meter_->wait_for(items_taken_);
            return taken;
        }

        Feed feed_;
        Window window_;
        std::shared_ptr<ProgressMeter> meter_;
        std::deque<OnTheWay<Part>> on_the_way_;
        std::size_t items_taken_ = 0;
        worker::Arrivals arrivals_;
        Part part_;
        std::size_t at_ = 0;
        bool at_end_ = false;
        std::exception_ptr failure_;
    };

    std::unique_ptr<State> state_;
};

}  // namespace detail::pool
}  // namespace chorus::inline v0

#pragma GCC visibility pop
