// Pool: many workers for many calls. The same program text with threads and with processes:
//
//     mp::Pool pool(4);                                     // or mt::Pool
//     chorus::Future<int> f = pool.submit(square, 3);
//     std::vector<int> ys = pool.map({.progress = "squares"}, square, xs);   // a bar on the terminal
//     for (int y : pool.imap(square, endless_range)) …
//
// Semantics: names follow Python's multiprocessing.Pool and concurrent.futures.Executor. Where those two
// differ, leaving a pool's scope waits for the submitted tasks, as the executor does; during stack unwinding
// it cancels the tasks that have not begun. Workers start when they are needed.
//
// Thread safety: any thread may make any call. Callbacks of futures run in a thread of the pool, or in a
//        thread that waits for one of its futures. A progress function is called by the same threads, one
//        call at a time: what ends meanwhile is in the next call. It may cancel, and wait for other futures
//        of the pool. Its last call has returned when a map has its result, when an imap has returned its
//        last result and said so, and when an imap's results are destroyed. After cancel() none begins; one
//        may be in progress.
// Crash safety: a worker process that dies fails the task that it had begun with WorkerDied, or that task is
//        retried if its `.retries` say so; each other task gets its own answer, once; tasks that it had not
//        begun are not lost. The worker is replaced. After a crash by SIGSEGV, SIGBUS, SIGILL, SIGFPE or
//        SIGABRT the pool replaces its queues and its idle workers; if the old queues are found damaged, the
//        tasks in them fail with Damaged. A chunk whose worker died counts as failed in Progress.
#pragma once

#include <chorus/version.hpp>

#include <concepts>
#include <cstddef>
#include <exception>
#include <ranges>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <chorus/deadline.hpp>
#include <chorus/detail/pool/submitter.hpp>
#include <chorus/progress.hpp>
#include <chorus/run.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0 {

/// Options of a map.
struct MapOptions {
    ShowProgress progress{};    ///< a name: draws a bar; a function: is called with each Progress
    std::size_t chunksize = 0;  ///< items per task; 0: about a quarter of each worker's share, as Python's
    TaskOptions task{};         ///< of each task
};

/// Options of a lazy map.
struct ImapOptions {
    ShowProgress progress{};    ///< a name: draws a bar; a function: is called with each Progress
    std::size_t chunksize = 1;  ///< items per task
    /// Limit of tasks in flight, including results not yet taken; 0: enough to keep the workers busy.
    std::size_t buffersize = 0;
    /// Limit of their arguments and results between processes; one task is submitted in any case.
    std::size_t bytes = 256_MiB;
    TaskOptions task{};  ///< of each task
};

/// Options of shutdown().
struct ShutdownPoolOptions {
    bool wait = true;             ///< for all tasks, and for the end of the workers
    bool cancel_futures = false;  ///< cancel tasks that have not begun
};

/// Options of a pool. Kind: of processes or of threads.
template <class Kind>
struct BasicPoolOptions {
    std::string name{};  ///< prefix of the workers' names
    /// Called by each worker before its first task: a function, or {function, arguments…}.
    detail::pool::Initializer<Kind> initializer{};
    /// A worker is replaced after so many tasks; 0: no limit. With the start method "fork" the new worker is
    /// a copy of this process as it is then, while other threads run: see docs/guide/processes.md.
    std::size_t max_tasks_per_child = 0;
    Deadline timeout{};      ///< of each task that has none, and of the initializer in a worker process
    Deadline cpu_time{};     ///< of each task that has none
    std::size_t memory = 0;  ///< bytes that a worker process may allocate: OutOfMemory; 0: no limit
    std::size_t budget = 0;  ///< limit of the sum of `.weight` of the tasks that run; 0: no limit
    /// Lines of a worker's standard error that WorkerDied shows; 0: none, workers inherit standard error.
    std::size_t last_lines = 10;
    /// "forkserver", "spawn" or "fork", for worker processes; "": as set_start_method() has chosen.
    std::string start_method{};
};

/// mp::Pool and mt::Pool.
template <class Kind>
class BasicPool {
public:
    /// mp::PoolOptions or mt::PoolOptions.
    using Options = BasicPoolOptions<Kind>;

    /// As many workers as there are usable CPUs.
    BasicPool() : BasicPool(Options{}) {}
    /// The same with options.
    explicit BasicPool(Options options) : BasicPool(0, std::move(options), false) {}
    /// At most `workers` workers. Throws: UsageError for 0 workers.
    explicit BasicPool(std::integral auto workers, Options options = {})
        : BasicPool(checked(workers), std::move(options), true) {}
    BasicPool(const BasicPool&) = delete;
    BasicPool& operator=(const BasicPool&) = delete;
    /// Waits for all tasks; during stack unwinding cancels those that have not begun.
    ~BasicPool() { submitter_.backend()->finish(std::uncaught_exceptions() > exceptions_); }

    // ---- one call ----

    /// A future for function(args…), which a worker will call. Function and arguments are as for Process and
    /// Thread. If an argument cannot be serialised, the future fails. Throws: UsageError after close();
    /// BrokenPool.
    template <class Function, class... Args>
    auto submit(TaskOptions options, Function&& function, Args&&... args) {
        return Submitter::submit_by(submitter_.backend(), {options, {}}, std::forward<Function>(function),
                                    std::forward<Args>(args)...);
    }
    /// The same without options.
    template <class Function, class... Args>
        requires(!std::same_as<std::remove_cvref_t<Function>, TaskOptions>)
    auto submit(Function&& function, Args&&... args) {
        return submit(TaskOptions{}, std::forward<Function>(function), std::forward<Args>(args)...);
    }

    // ---- many calls ----

    /// function(item) for each item, which is a copy, in the order of the items. The function must not change
    /// the range. Throws, once all calls are done: the exception of the first item that failed.
    template <class Function, std::ranges::input_range Range>
    auto map(MapOptions options, Function function, Range&& items) {
        return submitter_
            .template start_map<true>(std::move(options), OneByOne<Function>{std::move(function)},
                                      std::forward<Range>(items))
            .get();
    }
    /// The same without options.
    template <class Function, std::ranges::input_range Range>
    auto map(Function function, Range&& items) {
        return map(MapOptions{}, std::move(function), std::forward<Range>(items));
    }
    /// The same without waiting: a future of all results.
    template <class Function, std::ranges::input_range Range>
    auto map_async(MapOptions options, Function function, Range&& items) {
        return submitter_.template start_map<false>(
            std::move(options), OneByOne<Function>{std::move(function)}, std::forward<Range>(items));
    }
    /// The same without options.
    template <class Function, std::ranges::input_range Range>
    auto map_async(Function function, Range&& items) {
        return map_async(MapOptions{}, std::move(function), std::forward<Range>(items));
    }
    /// As map(), with function(a, b, …) for each item, which is a tuple, a pair or an array.
    template <class Function, std::ranges::input_range Range>
    auto starmap(MapOptions options, Function function, Range&& items) {
        return submitter_
            .template start_map<true>(std::move(options), Spread<Function>{std::move(function)},
                                      std::forward<Range>(items))
            .get();
    }
    /// The same without options.
    template <class Function, std::ranges::input_range Range>
    auto starmap(Function function, Range&& items) {
        return starmap(MapOptions{}, std::move(function), std::forward<Range>(items));
    }
    /// The same without waiting: a future of all results.
    template <class Function, std::ranges::input_range Range>
    auto starmap_async(MapOptions options, Function function, Range&& items) {
        return submitter_.template start_map<false>(std::move(options), Spread<Function>{std::move(function)},
                                                    std::forward<Range>(items));
    }
    /// The same without options.
    template <class Function, std::ranges::input_range Range>
    auto starmap_async(Function function, Range&& items) {
        return starmap_async(MapOptions{}, std::move(function), std::forward<Range>(items));
    }

    /// As map(), lazily: a range of results, to be iterated once. Items are taken from the range as results
    /// are asked for, with a bounded number of tasks in flight. An exception is thrown in place of its
    /// result; the iteration can continue after it. A range that throws ends there, as a Python generator
    /// does. The results may outlive the pool: submitted tasks are still returned, then UsageError is thrown
    /// once. The range must live as long as the results, unless it was moved in.
    template <class Function, std::ranges::input_range Range>
    auto imap(ImapOptions options, Function function, Range&& items) {
        return submitter_.template start_imap<true>(options, std::move(function), std::forward<Range>(items));
    }
    /// The same without options.
    template <class Function, std::ranges::input_range Range>
    auto imap(Function function, Range&& items) {
        return imap(ImapOptions{}, std::move(function), std::forward<Range>(items));
    }
    /// As imap(), with the results in the order in which they arrive.
    template <class Function, std::ranges::input_range Range>
    auto imap_unordered(ImapOptions options, Function function, Range&& items) {
        return submitter_.template start_imap<false>(options, std::move(function),
                                                     std::forward<Range>(items));
    }
    /// The same without options.
    template <class Function, std::ranges::input_range Range>
    auto imap_unordered(Function function, Range&& items) {
        return imap_unordered(ImapOptions{}, std::move(function), std::forward<Range>(items));
    }

    // ---- shutdown ----

    /// Refuses further tasks; workers end when all tasks are done.
    void close() { submitter_.backend()->close(); }
    /// Waits until the workers have ended. Returns false if the deadline passes first. Throws: UsageError
    /// before close().
    bool join(Deadline deadline = {}) { return submitter_.backend()->join(deadline); }
    /// close(), then join() unless told otherwise.
    void shutdown(ShutdownPoolOptions options = {}) {
        close();
        if (options.cancel_futures) submitter_.backend()->cancel_waiting();
        if (options.wait) join();
    }
    /// Kills the worker processes and cancels unfinished tasks. Threads finish the tasks that they have
    /// begun.
    void terminate() { submitter_.backend()->terminate(); }

    // ---- size and state ----

    /// The limit of workers.
    std::size_t size() const { return submitter_.backend()->size(); }
    /// Changes the limit. Surplus workers end when they are idle. Throws: UsageError for 0.
    void resize(std::integral auto workers) { submitter_.backend()->resize(checked(workers)); }
    /// Tasks submitted and not ended. A task whose future has just ended may still be counted.
    std::size_t unfinished() const { return submitter_.backend()->unfinished(); }
    /// The pids of the living worker processes; empty in a pool of threads.
    std::vector<int> worker_pids() const { return submitter_.backend()->worker_pids(); }

    // ---- Python's second names ----

    /// As submit().
    template <class... Parts>
    auto apply_async(Parts&&... parts) {
        return submit(std::forward<Parts>(parts)...);
    }
    /// As submit().get().
    template <class... Parts>
    auto apply(Parts&&... parts) {
        return submit(std::forward<Parts>(parts)...).get();
    }
    /// As terminate().
    void kill_workers() { terminate(); }

private:
    using Submitter = detail::pool::Submitter<Kind>;
    template <class Function>
    using OneByOne = detail::pool::OneByOne<Function>;
    template <class Function>
    using Spread = detail::pool::Spread<Function>;

    BasicPool(std::size_t workers, Options options, bool)
        : submitter_(Kind::make_backend(backend_options(workers, std::move(options)))) {}

    static std::size_t checked(std::integral auto workers) {
        if (workers <= 0)
            throw UsageError("a pool needs one worker or more, asked for " + std::to_string(workers));
        return static_cast<std::size_t>(workers);
    }
    static detail::pool::BackendOptions backend_options(std::size_t workers, Options options) {
        const auto start_method = Kind::start_method_named(options.start_method);
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

    Submitter submitter_;
    int exceptions_ = std::uncaught_exceptions();
};

}  // namespace chorus::inline v0

namespace chorus::inline v0::multiprocessing {
/// A pool of worker processes.
using Pool = BasicPool<detail::pool::Processes>;
/// Options of a pool of processes.
using PoolOptions = BasicPoolOptions<detail::pool::Processes>;
}  // namespace chorus::inline v0::multiprocessing

namespace chorus::inline v0::threading {
/// A pool of threads.
using Pool = BasicPool<detail::pool::Threads>;
/// Options of a pool of threads.
using PoolOptions = BasicPoolOptions<detail::pool::Threads>;
}  // namespace chorus::inline v0::threading

#pragma GCC visibility pop
