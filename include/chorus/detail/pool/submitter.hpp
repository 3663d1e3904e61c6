// Submitter: turns the calls of a pool into tasks for its backend.
//
// Thread safety: any thread may make any call.
// Crash safety: as the pool's.
#pragma once

#include <chorus/detail/contract.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <chorus/detail/pool/imap.hpp>
#include <chorus/detail/pool/kinds.hpp>
#include <chorus/detail/pool/map.hpp>
#include <chorus/detail/pool/progress_meter.hpp>
#include <chorus/detail/pool/task.hpp>
#include <chorus/future.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::detail::pool {

template <class Kind>
class Submitter {
public:
    // The options of a task, and its first item in a range.
    struct Submission {
        const TaskOptions& options;
        std::optional<std::size_t> item;
    };

    // Static, since the results of an imap may outlive the pool.
    template <class Function, class... Args>
    static auto submit_by(const std::shared_ptr<Backend>& backend, const Submission& submission,
                          Function&& function, Args&&... args) {
        if constexpr (!Kind::template can_take<Function, Args...>) {
            Kind::make_call(std::forward<Function>(function), std::forward<Args>(args)...);  // says why
            return Future<message::RefusedCall>();
        } else {
            return message::Arrange<std::decay_t<Function>>::pass_to(
                [&]<class... Each>(Each&&... each) {
                    using Submitted = TaskOf<Kind::travels, message::WithoutNames<Function>,
                                             typename Kind::template Kept<Each>...>;
                    return enter(backend, submission,
                                 make_task<Submitted>(
                                     backend, message::without_names(std::forward<Function>(function)),
                                     std::forward<Each>(each)...));
                },
                std::forward<Args>(args)...);
        }
    }

    template <class Result, bool travels>
    static Future<Result> enter(const std::shared_ptr<Backend>& backend, const Submission& submission,
                                std::shared_ptr<TypedTask<Result, travels>> task) {
        task->options = submission.options;
        task->item = submission.item;
        submit_to(*backend, task);
        return Access::make<Future<Result>>(std::move(task));
    }

    template <bool waits, class Each, class Range>
    auto start_map(const auto& options, Each each, Range&& range) {
        using Item = std::ranges::range_value_t<Range>;
        static_assert(message::DirectlyInvocable<Each&, Item&>,
                      "pool.map: the function cannot be called with an item of the range");
        using Result = std::decay_t<std::invoke_result_t<Each&, Item&>>;
        const auto items = [&] {
            // Threads read numbers where the caller has them, if it waits; for processes they may have
            // to be serialised again after the caller has returned.
            if constexpr (waits && !Kind::travels && std::ranges::contiguous_range<Range> &&
                          std::ranges::sized_range<Range> && Slice<Item>::of_numbers) {
                return Slice<Item>(std::span<const Item>(std::ranges::data(range), std::ranges::size(range)));
            } else {
                return Slice<Item>(all_of(std::forward<Range>(range)));
            }
        }();
        const std::size_t count = items.size();
        const std::size_t chunk = chunk_size(options.chunksize, count, backend_->size());
        const auto meter = make_meter(options.progress, count);
        auto job = std::make_shared<MapJob<Result>>(backend_, count, chunk, meter);
        try {
            std::size_t number = 0;
            for (std::size_t at = 0; at < count; at += chunk, ++number) {
                const std::size_t end = std::min(count, at + chunk);
                auto future = submit_chunk<Result>({options.task, at}, each,
                                                   items.template part<Kind::travels>(at, end), *job, number);
                watch(Access::state(future), meter, end - at);
                job->add(number, Access::state(future));
            }
        } catch (...) {
            job->give_up_and_wait();  // the items may go with the caller
            throw;
        }
        return Access::make<Future<MapValue<Result>>>(std::move(job));
    }

    template <class Result, class Each, class Item>
    auto submit_chunk(const Submission& submission, const Each& each, Slice<Item> items, MapJob<Result>& job,
                      std::size_t number) {
        constexpr bool has_places = MapJob<Result>::has_places;
        if constexpr (has_places && !Kind::travels) {
            return submit_by(backend_, submission, EachInto<Each, Result>{each, job.places(number).data()},
                             std::move(items));
        } else if constexpr (has_places && message::is_numbers_in_a_row<std::vector<Result>> &&
                             Kind::template can_take<EachOf<Each>, Slice<Item>>) {
            using Submitted = CallTask<true, RowTask, EachInRow<Each, Result>, Slice<Item>>;
            auto task = make_task<Submitted>(backend_, EachInRow<Each, Result>{each}, std::move(items));
            task->write_to(std::as_writable_bytes(job.places(number)), sizeof(Result),
                           job.shared_from_this());
            return enter<void, true>(backend_, submission, std::move(task));
        } else {
            return submit_by(backend_, submission, EachOf<Each>{each}, std::move(items));
        }
    }

    template <class Range>
    static auto all_of(Range&& range) {
        using Items = std::vector<std::ranges::range_value_t<Range>>;
        if constexpr (std::same_as<Range, Items>) {
            return Items(std::move(range));  // moved in by the caller
        } else if constexpr (std::ranges::common_range<Range> && std::ranges::forward_range<Range>) {
            return Items(std::ranges::begin(range), std::ranges::end(range));
        } else {
            Items items;
            if constexpr (std::ranges::sized_range<Range>)
                items.reserve(static_cast<std::size_t>(std::ranges::size(range)));
            for (auto&& item : range) items.push_back(std::forward<decltype(item)>(item));
            return items;
        }
    }

    template <bool ordered, class Function, class Range>
    auto start_imap(const auto& options, Function function, Range&& range) {
        using Item = std::ranges::range_value_t<Range>;
        using Each = OneByOne<Function>;
        static_assert(message::DirectlyInvocable<Each&, Item&>,
                      "pool.imap: the function cannot be called with an item of the range");
        using Result = typename Collected<std::decay_t<std::invoke_result_t<Each&, Item&>>>::Item;
        if (options.chunksize == 0) throw UsageError("imap: a chunk holds one item or more");
        std::optional<std::size_t> total;
        if constexpr (std::ranges::sized_range<Range>)
            total = static_cast<std::size_t>(std::ranges::size(range));
        const auto meter = make_meter(options.progress, total);
        auto source =
            std::make_shared<Source<std::views::all_t<Range>>>(std::views::all(std::forward<Range>(range)));
        auto feed = [backend = backend_, source, options, meter, each = Each{std::move(function)},
                     taken = std::size_t{0}]() mutable -> std::optional<OnTheWay<std::vector<Result>>> {
            auto part = source->take(options.chunksize);
            if (part.empty()) return std::nullopt;
            const std::size_t count = part.size();
            auto future =
                submit_by(backend, {options.task, taken}, EachOf<Each>{each}, Slice<Item>(std::move(part)));
            taken += count;
            watch(Access::state(future), meter, count);
            const auto* bytes = &dynamic_cast<const Task&>(*Access::state(future)).bytes;
            return OnTheWay<std::vector<Result>>{std::move(future), bytes, count};
        };
        const Window window{options.buffersize != 0 ? options.buffersize : 2 * backend_->size() + 2,
                            options.bytes};
        return Results<Result, ordered>(
            std::make_unique<FeedBy<std::vector<Result>, decltype(feed)>>(std::move(feed)), window, meter);
    }

    const std::shared_ptr<Backend>& backend() const noexcept { return backend_; }
    explicit Submitter(std::shared_ptr<Backend> backend) : backend_(std::move(backend)) {}

private:
    std::shared_ptr<Backend> backend_;
};

}  // namespace chorus::inline v0::detail::pool

#pragma GCC visibility pop
