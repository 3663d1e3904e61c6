// Backend: the workers of a pool, and how tasks reach them. One for threads, one for processes, behind
// one interface.
//
// Thread safety: every function may be called from any thread, also from tasks and callbacks.
// Crash safety: see each backend.
#pragma once

#include <chorus/detail/contract.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <chorus/deadline.hpp>
#include <chorus/detail/message/callable.hpp>
#include <chorus/future.hpp>
#include <chorus/process.hpp>
#include <chorus/run.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::detail::pool {

class Task;

struct BackendOptions {
    std::size_t workers = 0;                       ///< at most; 0: as many as there are usable CPUs
    std::string name{};                            ///< in front of the workers' numbers
    std::shared_ptr<message::Call> initializer{};  ///< of processes
    std::function<void()> initialise{};            ///< of threads
    std::size_t max_tasks_per_child = 0;           ///< 0: no limit
    Deadline timeout{};                            ///< of tasks that say nothing else, and of the initializer
    Deadline cpu_time{};                           ///< of tasks that say nothing else
    std::size_t memory = 0;                        ///< bytes that a worker process may allocate; 0: no limit
    std::size_t budget = 0;                        ///< of weights at once; 0: no limit
    std::size_t last_lines = 0;                    ///< of a worker's standard error; 0: none is kept
    std::optional<StartMethod> start_method{};     ///< of processes; empty: as for Process
};

class Backend : public worker::Helper {
public:
    /// Throws: UsageError after close, BrokenPool.
    virtual void submit(std::shared_ptr<Task> task) = 0;
    /// The task's future has been cancelled: the task does not begin, or it is ended.
    virtual void cancelled(Task& task) noexcept = 0;
    virtual bool has_begun(const Task& task) const noexcept = 0;
    virtual bool can_stop_running() const noexcept = 0;

    virtual std::size_t size() const noexcept = 0;
    /// Throws: UsageError for none.
    virtual void resize(std::size_t workers) = 0;
    /// Tasks that are not done.
    virtual std::size_t unfinished() const = 0;

    /// Nothing can be submitted after this call.
    virtual void close() noexcept = 0;
    virtual bool is_closed() const noexcept = 0;
    /// Waits until all tasks are done and the workers have left. Returns false if the deadline passes
    /// first.
    virtual bool join(Deadline deadline) = 0;
    virtual void cancel_waiting() noexcept = 0;
    /// Kills the workers where that can be done, and cancels unfinished tasks.
    virtual void terminate() noexcept = 0;
    /// For the end of the pool's scope, and of the program: closes the pool and waits until all tasks
    /// are done; cancels those that have not begun, if that is asked for. Does nothing in a copy of the
    /// process that made the backend. Returns false if there was nothing to do.
    virtual bool finish(bool cancel_what_waits) noexcept = 0;
    /// The calling thread has called exit(). Threads that would wait for what it does for this backend
    /// (it is in a callback, as the leader that receives results; it is a worker thread) wait no
    /// longer.
    virtual void leave() noexcept = 0;
    virtual std::vector<int> worker_pids() const = 0;
};

/// Throws: what Backend::submit throws; but not to a main thread that another one ends by exit().
void submit_to(Backend& backend, std::shared_ptr<Task> task);

std::shared_ptr<Backend> make_process_backend(BackendOptions options);
std::shared_ptr<Backend> make_thread_backend(BackendOptions options);

}  // namespace chorus::inline v0::detail::pool

#pragma GCC visibility pop
