// Pool: many workers for many calls. The same program text with threads and with processes:
//
//     mp::Pool pool(4);                                     // or mt::Pool
//     chorus::Future<int> f = pool.submit(square, 3);
//     std::vector<int> ys = pool.map(square, xs);
//     for (int y : pool.imap(square, endless_range)) …
//
// Names follow Python's multiprocessing.Pool and concurrent.futures.Executor. Where those two differ, leaving
// a pool's scope waits for what was submitted, as the executor does; while unwinding from an exception it
// cancels what no worker has begun. Workers start when they are needed.
//
// Threads: every function may be called from any thread. Callbacks of futures run in a thread of the pool, or
//          in one that waits for a future of it.
// Death: a worker process that dies fails the task it had begun with WorkerDied, or it is given out again if
//        its `.retries` say so; each other task gets its own answer, once. The worker is replaced. Of what it
//        had not begun nothing is lost. After a crash by SIGSEGV, SIGBUS, SIGILL, SIGFPE or SIGABRT the pool
//        has new queues, and other workers for the idle ones; if they are found damaged, tasks in them fail
//        with Damaged. Threads do not die alone.
#pragma once

#include <concepts>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <chorus/detail/pool/imap.hpp>
#include <chorus/detail/pool/map.hpp>
#include <chorus/detail/pool/progress_meter.hpp>
#include <chorus/detail/pool/task.hpp>
#include <chorus/progress.hpp>
#include <chorus/task_options.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus {

/// What may be said about a map.
struct MapOptions {
    ShowProgress progress{};    ///< a name: draws a bar; a function: is called with each Progress
    std::size_t chunksize = 0;  ///< items to a task; 0: about a quarter of each worker's share, as Python's
    TaskOptions task{};         ///< for each task
};

/// What may be said about a lazy map.
struct ImapOptions {
    ShowProgress progress{};    ///< a name: draws a bar; a function: is called with each Progress
    std::size_t chunksize = 1;  ///< items to a task
    /// Tasks on their way at most, or done and not asked for; 0: enough to keep the workers busy.
    std::size_t buffersize = 0;
    /// Of their arguments and results between processes; one task goes in any case.
    std::size_t bytes = 256_MiB;
    TaskOptions task{};  ///< for each task
};

/// How a pool is shut down.
struct ShutdownPoolOptions {
    bool wait = true;             ///< until all that was submitted is done, and the workers are gone
    bool cancel_futures = false;  ///< what no worker has begun is cancelled
};

}  // namespace chorus

namespace chorus::pool {

// What a pool's workers are, for its typed face.
struct Processes {
    static constexpr bool travels = true;
    template <class Arg>
    using Kept = message::Travelling<Arg>;
    template <class Function, class... Args>
    static constexpr bool can_take = message::can_travel<Function, Args...>();
    template <class... Parts>
    static auto make_call(Parts&&... parts) {
        return message::make_travelling_call(std::forward<Parts>(parts)...);
    }
    static std::shared_ptr<Backend> make_backend(BackendOptions options) {
        return make_process_backend(std::move(options));
    }
};

struct Threads {
    static constexpr bool travels = false;
    template <class Arg>
    using Kept = std::decay_t<Arg>;
    template <class Function, class... Args>
    static constexpr bool can_take = message::can_be_called_here<Function, Args...>();
    template <class... Parts>
    static auto make_call(Parts&&... parts) {
        return message::make_local_call(std::forward<Parts>(parts)...);
    }
    static std::shared_ptr<Backend> make_backend(BackendOptions options) {
        return make_thread_backend(std::move(options));
    }
};

/// A function that each worker calls before its first task: `.initializer = setup`, `.initializer = {setup,
/// 3}`.
template <class Kind>
class Initializer {
public:
    Initializer() = default;
    template <class Function, class... Args>
        requires(!std::same_as<std::remove_cvref_t<Function>, Initializer>)
    Initializer(Function&& function, Args&&... args) {
        if constexpr (Kind::travels) {
            call = Kind::make_call(std::forward<Function>(function), std::forward<Args>(args)...);
        } else {
            here = [function = std::decay_t<Function>(std::forward<Function>(function)),
                    args = std::make_tuple(std::forward<Args>(args)...)] { std::apply(function, args); };
        }
    }
    std::shared_ptr<message::Call> call;
    std::function<void()> here;
};

template <class Kind>
struct PoolOptions {
    std::string name{};  ///< of the workers, in front of their numbers
    Initializer<Kind> initializer{};
    /// A worker that has done so many makes place for a fresh one; 0: no limit. With the start method "fork"
    /// the fresh one is a copy of this process as it is then, while other threads run: see
    /// docs/guide/processes.md.
    std::size_t max_tasks_per_child = 0;
    /// Of each task that says nothing else, and of the initializer in a worker process.
    std::optional<Timeout> timeout{};
    std::optional<Timeout> cpu_time{};  ///< of each task that says nothing else
    std::size_t memory = 0;  ///< bytes that a worker process may allocate: OutOfMemory; 0: no limit
    std::size_t budget = 0;  ///< tasks are held back while their .weight does not fit into it; 0: none is
    std::size_t last_lines = 10;  ///< of a worker's standard error that WorkerDied shows; 0: none, workers
                                  ///< write to the program's own directly
    /// "forkserver", "spawn" or "fork", for worker processes; "": as set_start_method() has chosen.
    std::string start_method{};
};

template <class Kind>
class BasicPool {
public:
    using Options = PoolOptions<Kind>;

    /// As many workers as there are usable CPUs.
    BasicPool() : BasicPool(Options{}) {}
    explicit BasicPool(Options options) : BasicPool(0, std::move(options), false) {}
    /// Throws: UsageError for 0 workers.
    explicit BasicPool(std::integral auto workers, Options options = {})
        : BasicPool(checked(workers), std::move(options), true) {}
    BasicPool(const BasicPool&) = delete;
    BasicPool& operator=(const BasicPool&) = delete;
    /// Waits for what was submitted; cancels what has not begun if an exception passes by.
    ~BasicPool() { backend_->finish(std::uncaught_exceptions() > exceptions_); }

    // ---- one call ----

    /// A future for function(args…), which a worker will call. Function and arguments are as for Process and
    /// Thread. An argument that cannot be written is the future's error. Throws: UsageError after close(),
    /// BrokenPool.
    template <class Function, class... Args>
    auto submit(TaskOptions options, Function&& function, Args&&... args) {
        return submit_by(backend_, {options, {}}, std::forward<Function>(function),
                         std::forward<Args>(args)...);
    }
    template <class Function, class... Args>
        requires(!std::same_as<std::remove_cvref_t<Function>, TaskOptions>)
    auto submit(Function&& function, Args&&... args) {
        return submit(TaskOptions{}, std::forward<Function>(function), std::forward<Args>(args)...);
    }
    /// Python's names for it.
    template <class... Parts>
    auto apply_async(Parts&&... parts) {
        return submit(std::forward<Parts>(parts)...);
    }
    /// The value, at once.
    template <class... Parts>
    auto apply(Parts&&... parts) {
        return submit(std::forward<Parts>(parts)...).get();
    }

    // ---- many calls ----

    /// function(item) for each item, which is a copy, in the order of the items. The function must not change
    /// the range. Throws: what the function throws, once all are done: the exception of the first of those
    /// that failed.
    template <class Function, std::ranges::input_range Range>
    auto map(MapOptions options, Function function, Range&& items) {
        return start_map<true>(std::move(options), OneByOne<Function>{std::move(function)},
                               std::forward<Range>(items))
            .get();
    }
    template <class Function, std::ranges::input_range Range>
    auto map(Function function, Range&& items) {
        return map(MapOptions{}, std::move(function), std::forward<Range>(items));
    }
    template <class Function, std::ranges::input_range Range>
    auto map_async(MapOptions options, Function function, Range&& items) {
        return start_map<false>(std::move(options), OneByOne<Function>{std::move(function)},
                                std::forward<Range>(items));
    }
    template <class Function, std::ranges::input_range Range>
    auto map_async(Function function, Range&& items) {
        return map_async(MapOptions{}, std::move(function), std::forward<Range>(items));
    }
    /// function(a, b, …) for each item, which is a tuple, a pair or an array.
    template <class Function, std::ranges::input_range Range>
    auto starmap(MapOptions options, Function function, Range&& items) {
        return start_map<true>(std::move(options), Spread<Function>{std::move(function)},
                               std::forward<Range>(items))
            .get();
    }
    template <class Function, std::ranges::input_range Range>
    auto starmap(Function function, Range&& items) {
        return starmap(MapOptions{}, std::move(function), std::forward<Range>(items));
    }
    template <class Function, std::ranges::input_range Range>
    auto starmap_async(MapOptions options, Function function, Range&& items) {
        return start_map<false>(std::move(options), Spread<Function>{std::move(function)},
                                std::forward<Range>(items));
    }
    template <class Function, std::ranges::input_range Range>
    auto starmap_async(Function function, Range&& items) {
        return starmap_async(MapOptions{}, std::move(function), std::forward<Range>(items));
    }

    /// The same lazily, to be iterated once: items are taken from the range as results are asked for, and
    /// only a bounded number is on its way. An exception comes where its result would have come; then the
    /// rest can go on. A range that throws ends there, as a generator does. The results may outlive the pool:
    /// what was submitted comes, then once UsageError. The range must live as long, unless it was moved in.
    template <class Function, std::ranges::input_range Range>
    auto imap(ImapOptions options, Function function, Range&& items) {
        return start_imap<true>(options, std::move(function), std::forward<Range>(items));
    }
    template <class Function, std::ranges::input_range Range>
    auto imap(Function function, Range&& items) {
        return imap(ImapOptions{}, std::move(function), std::forward<Range>(items));
    }
    /// Each result as soon as it is there.
    template <class Function, std::ranges::input_range Range>
    auto imap_unordered(ImapOptions options, Function function, Range&& items) {
        return start_imap<false>(options, std::move(function), std::forward<Range>(items));
    }
    template <class Function, std::ranges::input_range Range>
    auto imap_unordered(Function function, Range&& items) {
        return imap_unordered(ImapOptions{}, std::move(function), std::forward<Range>(items));
    }

    // ---- the end, and what can be asked ----

    /// Nothing more can be submitted; workers leave when all is done.
    void close() { backend_->close(); }
    /// Waits for that. Returns: false when the deadline passed first. Throws: UsageError before close().
    bool join(Deadline deadline = {}) { return backend_->join(deadline); }
    /// close(), and join() if asked to wait.
    void shutdown(ShutdownPoolOptions options = {}) {
        backend_->close();
        if (options.cancel_futures) backend_->cancel_waiting();
        if (options.wait) backend_->join({});
    }
    /// Ends worker processes at once, and cancels all that is not done. Threads end what they have begun.
    void terminate() { backend_->terminate(); }
    void kill_workers() { backend_->terminate(); }

    std::size_t size() const { return backend_->size(); }
    /// Workers that are too many leave when they have nothing to do. Throws: UsageError for 0.
    void resize(std::integral auto workers) { backend_->resize(checked(workers)); }
    /// Tasks submitted and not ended. One whose future has ended this moment may still be counted.
    std::size_t unfinished() const { return backend_->unfinished(); }
    /// The living workers; none if they are threads.
    std::vector<int> worker_pids() const { return backend_->worker_pids(); }

private:
    BasicPool(std::size_t workers, Options options, bool)
        : backend_(Kind::make_backend(backend_options(workers, std::move(options)))) {}

    static std::size_t checked(std::integral auto workers) {
        if (workers <= 0)
            throw UsageError("a pool needs one worker or more, asked for " + std::to_string(workers));
        return static_cast<std::size_t>(workers);
    }
    static std::optional<StartMethod> start_method_of(const Options& options) {
        if (options.start_method.empty()) return std::nullopt;
        if (!Kind::travels)
            throw UsageError(
                "a pool of threads has no start method: leave .start_method out, or take mp::Pool");
        return worker::start_method_named(options.start_method);
    }
    static BackendOptions backend_options(std::size_t workers, Options options) {
        const auto start_method = start_method_of(options);
        return {.workers = workers,
                .name = std::move(options.name),
                .initializer = std::move(options.initializer.call),
                .initialise = std::move(options.initializer.here),
                .max_tasks_per_child = options.max_tasks_per_child,
                .timeout = options.timeout,
                .cpu_time = options.cpu_time,
                .memory = options.memory,
                .budget = options.budget,
                .last_lines = options.last_lines,
                .start_method = start_method};
    }

    // A task's options, and where in a range it comes from.
    struct Submission {
        const TaskOptions& options;
        std::optional<std::size_t> item;
    };

    // What refers to the pool only until it is closed may outlive it: the results of an imap.
    template <class Function, class... Args>
    static auto submit_by(const std::shared_ptr<Backend>& backend, const Submission& submission,
                          Function&& function, Args&&... args) {
        if constexpr (!Kind::template can_take<Function, Args...>) {
            Kind::make_call(std::forward<Function>(function), std::forward<Args>(args)...);  // says why
            return Future<message::RefusedCall>(nullptr);
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
        return Future<Result>(std::move(task));
    }

    template <bool waits, class Each, class Range>
    auto start_map(MapOptions options, Each each, Range&& range) {
        using Item = std::ranges::range_value_t<Range>;
        static_assert(message::DirectlyInvocable<Each&, Item&>,
                      "pool.map: the function cannot be called with an item of the range");
        using Result = std::decay_t<std::invoke_result_t<Each&, Item&>>;
        const auto items = [&] {
            // Threads read numbers where the caller has them, if he waits; for processes they may have to be
            // written again when he is gone.
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
                watch(future.state(), meter, end - at);
                job->add(number, future.state());
            }
        } catch (...) {
            job->give_up_and_wait();  // the items may go with the caller
            throw;
        }
        return Future<MapValue<Result>>(std::move(job));
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
            return Items(std::move(range));  // given away by who called
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
    auto start_imap(ImapOptions options, Function function, Range&& range) {
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
            watch(future.state(), meter, count);
            const auto* bytes = &dynamic_cast<const Task&>(*future.state()).bytes;
            return OnTheWay<std::vector<Result>>{std::move(future), bytes, count};
        };
        const Window window{options.buffersize != 0 ? options.buffersize : 2 * backend_->size() + 2,
                            options.bytes};
        return Results<Result, ordered>(
            std::make_unique<FeedBy<std::vector<Result>, decltype(feed)>>(std::move(feed)), window, meter);
    }

    std::shared_ptr<Backend> backend_;
    int exceptions_ = std::uncaught_exceptions();
};

}  // namespace chorus::pool

namespace chorus::multiprocessing {
/// Many worker processes for many calls: pool::BasicPool.
using Pool = pool::BasicPool<pool::Processes>;
/// What may be said about a pool of processes: pool::PoolOptions.
using PoolOptions = pool::PoolOptions<pool::Processes>;
}  // namespace chorus::multiprocessing

namespace chorus::threading {
/// Many threads for many calls: pool::BasicPool.
using Pool = pool::BasicPool<pool::Threads>;
/// What may be said about a pool of threads: pool::PoolOptions.
using PoolOptions = pool::PoolOptions<pool::Threads>;
}  // namespace chorus::threading

#pragma GCC visibility pop
