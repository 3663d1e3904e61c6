// TaskGroup: calls of which none outlives the group's scope.
//
//     {
//         par::TaskGroup group;
//         auto a = group.start(load, "a");
//         auto b = group.start(load, "b");
//     }                                        // both are done here
//
// Names and semantics follow Python's asyncio.TaskGroup. The first failure cancels the rest, and is thrown
// where the scope ends; so is everything cancelled when an exception leaves the scope. What is not begun does
// not begin; what runs is asked, stop_token() tells; then worker processes are killed.
//
// Threads: every function may be called from any thread, also from the group's tasks if they are threads.
// Death: of a worker: a failure like another, WorkerDied.
#pragma once

#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include <chorus/pool.hpp>
#include <chorus/stop_token.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::pool {

/// The futures of a group.
class Group {
public:
    /// Its failure cancels the others. It is cancelled at once if there was one.
    void add(const std::shared_ptr<worker::FutureState>& future);
    void cancel();
    /// Waits for all. Returns what the first one that failed threw; null if none did.
    std::exception_ptr wait();
    StopToken stop_token() const noexcept;
    /// Serialises start(): kept while a worker is added and the task is submitted.
    std::shared_ptr<void> start_one_by_one();

private:
    struct State;
    std::shared_ptr<State> state_ = make();
    static std::shared_ptr<State> make();
};

template <class Kind>
class BasicTaskGroup {
public:
    /// Each task has a worker of its own, so they may wait for each other.
    BasicTaskGroup() { own_.emplace(1); }
    /// The pool's workers do it. The pool must outlive the group.
    explicit BasicTaskGroup(BasicPool<Kind>& pool) : pool_(&pool) {}
    BasicTaskGroup(const BasicTaskGroup&) = delete;
    BasicTaskGroup& operator=(const BasicTaskGroup&) = delete;
    /// As join(); if an exception leaves the scope all is cancelled, and nothing more is thrown.
    ~BasicTaskGroup() noexcept(false) {
        if (std::uncaught_exceptions() > exceptions_) {
            group_.cancel();
            group_.wait();
        } else {
            join();
        }
    }

    /// As Pool::submit. After a failure the future is cancelled already.
    template <class Function, class... Args>
    auto start(TaskOptions options, Function&& function, Args&&... args) {
        const auto one_by_one = group_.start_one_by_one();  // or two would count the same worker
        if (own_ && own_->unfinished() >= own_->size()) own_->resize(own_->unfinished() + 1);
        auto future = (own_ ? *own_ : *pool_)
                          .submit(options, std::forward<Function>(function), std::forward<Args>(args)...);
        group_.add(future.state());
        return future;
    }
    template <class Function, class... Args>
        requires(!std::same_as<std::remove_cvref_t<Function>, TaskOptions>)
    auto start(Function&& function, Args&&... args) {
        return start(TaskOptions{}, std::forward<Function>(function), std::forward<Args>(args)...);
    }

    /// Waits for all. Throws: what the first one that failed threw, once.
    void join() {
        if (const auto error = group_.wait()) std::rethrow_exception(error);
    }
    void cancel() { group_.cancel(); }
    /// Requested once the rest is cancelled. Tasks take it as an argument.
    StopToken stop_token() const noexcept { return group_.stop_token(); }

private:
    std::optional<BasicPool<Kind>> own_;
    BasicPool<Kind>* pool_ = nullptr;
    Group group_;
    int exceptions_ = std::uncaught_exceptions();
};

}  // namespace chorus::pool

namespace chorus::multiprocessing {
/// Tasks in processes that end together.
using TaskGroup = pool::BasicTaskGroup<pool::Processes>;
}  // namespace chorus::multiprocessing
namespace chorus::threading {
/// Tasks in threads that end together.
using TaskGroup = pool::BasicTaskGroup<pool::Threads>;
}  // namespace chorus::threading

#pragma GCC visibility pop
