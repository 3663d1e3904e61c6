// TaskGroup: calls, none of which outlives the group's scope.
//
//     {
//         par::TaskGroup group;
//         auto a = group.start(load, "a");
//         auto b = group.start(load, "b");
//     }                                        // both are done here
//
// Semantics: names follow Python's asyncio.TaskGroup. The first failure cancels the other tasks and is thrown
// at the end of the scope; an exception that leaves the scope cancels all tasks. Tasks that have not begun do
// not begin; running tasks are asked to stop, as stop_token() tells; then worker processes are killed.
//
// Thread safety: any thread may make any call, also the group's tasks if they are threads.
// Crash safety: the death of a worker is a failure like others: WorkerDied.
#pragma once

#include <chorus/version.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include <chorus/detail/pool/group.hpp>
#include <chorus/pool.hpp>
#include <chorus/stop_token.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0 {

/// mp::TaskGroup and mt::TaskGroup.
template <class Kind>
class BasicTaskGroup {
public:
    /// With a pool of its own, in which each task has a worker: tasks may wait for each other.
    BasicTaskGroup() { own_.emplace(1); }
    /// With the workers of a pool. Requires: the pool outlives the group.
    explicit BasicTaskGroup(BasicPool<Kind>& pool) : pool_(&pool) {}
    BasicTaskGroup(const BasicTaskGroup&) = delete;
    BasicTaskGroup& operator=(const BasicTaskGroup&) = delete;
    /// As join(); if an exception leaves the scope, cancels all tasks and throws nothing.
    ~BasicTaskGroup() noexcept(false) {
        if (std::uncaught_exceptions() > exceptions_) {
            group_.cancel();
            group_.wait();
        } else {
            join();
        }
    }

    /// As Pool::submit(). After a failure the future is cancelled already.
    template <class Function, class... Args>
    auto start(TaskOptions options, Function&& function, Args&&... args) {
        const auto one_by_one = group_.start_one_by_one();  // or two threads would count the same worker
        if (own_ && own_->unfinished() >= own_->size()) own_->resize(own_->unfinished() + 1);
        auto future = (own_ ? *own_ : *pool_)
                          .submit(options, std::forward<Function>(function), std::forward<Args>(args)...);
        group_.add(detail::Access::state(future));
        return future;
    }
    /// The same without options.
    template <class Function, class... Args>
        requires(!std::same_as<std::remove_cvref_t<Function>, TaskOptions>)
    auto start(Function&& function, Args&&... args) {
        return start(TaskOptions{}, std::forward<Function>(function), std::forward<Args>(args)...);
    }

    /// Waits for all tasks. Throws: the exception of the first that failed, once.
    void join() {
        if (const auto error = group_.wait()) std::rethrow_exception(error);
    }
    /// Cancels all tasks.
    void cancel() { group_.cancel(); }
    /// Requested when the group is cancelled, by a failure or by cancel(). Pass it to tasks as an argument.
    StopToken stop_token() const noexcept { return group_.stop_token(); }

private:
    std::optional<BasicPool<Kind>> own_;
    BasicPool<Kind>* pool_ = nullptr;
    detail::pool::Group group_;
    int exceptions_ = std::uncaught_exceptions();
};

}  // namespace chorus::inline v0

namespace chorus::inline v0::multiprocessing {
/// Tasks in processes.
using TaskGroup = BasicTaskGroup<detail::pool::Processes>;
}  // namespace chorus::inline v0::multiprocessing
namespace chorus::inline v0::threading {
/// Tasks in threads.
using TaskGroup = BasicTaskGroup<detail::pool::Threads>;
}  // namespace chorus::inline v0::threading

#pragma GCC visibility pop
