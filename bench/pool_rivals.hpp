// Thread pools of others, each with as many workers as ours and a future for each task, as ours gives one.
#pragma once

#include <cstddef>
#include <future>
#include <utility>

#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include "children.hpp"

namespace bench {

/// A call and its result: one allocation, which call and future share. Both rivals move it to where it runs;
/// TBB runs it as const.
template <class Result>
class Job {
public:
    template <class Function, class... Args>
    explicit Job(Function function, Args... args)
        : task_([function, args...] { return function(args...); }) {}
    std::future<Result> result() { return task_.get_future(); }
    void operator()() const { task_(); }

private:
    mutable std::packaged_task<Result()> task_;
};

/// boost::asio::post to a thread_pool, of a packaged_task; what comes back is its std::future.
class AsioPool {
public:
    explicit AsioPool(std::size_t workers) : threads_(workers) {}
    ~AsioPool() { threads_.join(); }

    template <class Function, class... Args>
    auto submit(Function function, Args... args) {
        Job<decltype(function(args...))> job(function, args...);
        auto result = job.result();
        boost::asio::post(threads_, std::move(job));
        return result;
    }

private:
    boost::asio::thread_pool threads_;
};

/// oneTBB's task_arena::enqueue, of a packaged_task; what comes back is its std::future. No place in the
/// arena is kept for the caller, so that all of the workers are TBB's.
class TbbPool {
public:
    explicit TbbPool(std::size_t workers)
        : threads_(tbb::global_control::max_allowed_parallelism, workers + 1), arena_(int(workers), 0) {}

    template <class Function, class... Args>
    auto submit(Function function, Args... args) {
        Job<decltype(function(args...))> job(function, args...);
        auto result = job.result();
        arena_.enqueue(std::move(job));
        return result;
    }

private:
    tbb::global_control threads_;
    tbb::task_arena arena_;
};

}  // namespace bench
