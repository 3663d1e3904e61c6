// The pool backend for worker threads: one queue of tasks, and threads that take from it.
//
// Thread safety: any thread.
// Crash safety: a thread does not die alone.
#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <map>
#include <mutex>

#include <chorus/detail/message/outcome.hpp>
#include <chorus/detail/pool/task.hpp>
#include <chorus/thread.hpp>
#include <chorus/thread_queue.hpp>
#include "memory/region.hpp"
#include "platform/cpus.hpp"
#include "pool/backends.hpp"
#include "pool/budget.hpp"
#include "pool/pool_counters.hpp"
#include "pool/task_trace.hpp"
#include "sync/exported_counters.hpp"

namespace chorus::inline v0::detail::pool {
namespace {

constexpr auto no_limits =
    "a thread cannot be ended, and what it uses cannot be told from what the others use: .timeout, .cpu_time "
    "and .memory are for mp::Pool; for a "
    "limit on waiting use get(deadline)";

// Of a task, or of all tasks of a pool.
bool has_limits(const auto& options) noexcept {
    return !options.timeout.is_never() || !options.cpu_time.is_never() || options.memory != 0;
}

class ThreadBackend final : public Backend, public std::enable_shared_from_this<ThreadBackend> {
public:
    explicit ThreadBackend(BackendOptions options)
        : options_(checked(std::move(options))),
          wanted_(options_.workers),
          copy_(memory::copy_number()),
          counters_(options_.name),
          budget_(options_.budget) {
        counters_.show(PoolCounters::workers, wanted_);
        counters_.show(PoolCounters::kind, PoolCounters::threads);
    }

    void submit(TaskPointer task) override {
        if (has_limits(task->options)) throw UsageError(no_limits);
        {
            const std::lock_guard guard(mutex_);
            require_open();
            task->number = ++submitted_;
            ++unfinished_;
            if (trace::is_on()) task->arrow = trace::new_arrow();
            if (threads_ < std::min(wanted_, unfinished_.load())) {
                try {
                    start_one();
                } catch (...) {
                    --unfinished_;
                    throw;
                }
            }
            counters_.show(PoolCounters::submitted, submitted_);
            counters_.add(PoolCounters::unfinished, 1);
            if (task->arrow != 0) trace_submission(*task);
            if (current_ == this) {
                budget_.enter_at_once(
                    *task);  // the submitting task may wait for it, and keeps its own part until then
            } else if (!budget_.enter(task)) {
                return;
            }
        }
        tasks_.put(std::move(task));
        if (is_broken_) break_down("");  // meanwhile: no other thread would end this one
    }

    // The thread that takes it from the queue skips it; one that the budget holds back need not wait
    // for that.
    void cancelled(Task& task) noexcept override {
        if (options_.budget == 0 || is_a_copy()) return;
        TaskPointer held_back;
        {
            const std::lock_guard guard(mutex_);
            if (!task.is_held_back) return;
            const auto& waiting = budget_.waiting();
            held_back = *std::find_if(waiting.begin(), waiting.end(),
                                      [&](const auto& each) { return each.get() == &task; });
            budget_.leave(
                held_back);  // under this lock: no other thread lets it in, and counts it as done once more
        }
        done_with(held_back);
    }
    bool has_begun(const Task&) const noexcept override { return false; }
    bool can_stop_running() const noexcept override { return false; }

    bool wait_for(const worker::FutureState& future, Deadline deadline) override {
        // A task that waits for another one of its pool does it itself: else all threads could wait for
        // what none is left to do.
        while (current_ == this && !future.is_done()) {
            auto task = tasks_.try_get();
            if (!task) break;
            serve(*task);
        }
        return future.sleep_until_done(deadline);
    }

    void wake_waiting() noexcept override {}

    std::size_t size() const noexcept override {
        const std::lock_guard guard(mutex_);
        return wanted_;
    }
    void resize(std::size_t workers) override {
        if (workers == 0) throw UsageError("a pool needs one worker or more, asked for 0");
        const std::lock_guard guard(mutex_);
        require_open();
        wanted_ = workers;
        counters_.show(PoolCounters::workers, wanted_);
        while (threads_ < std::min(wanted_, unfinished_.load())) start_one();
    }
    std::size_t unfinished() const override { return unfinished_; }

    void close() noexcept override {
        const std::lock_guard guard(mutex_);
        closed_ = true;
        if (unfinished_ == left_tasks_) tasks_.shutdown();
    }
    bool is_closed() const noexcept override {
        const std::lock_guard guard(mutex_);
        return closed_;
    }
    bool join(Deadline deadline) override {
        if (is_a_copy()) return true;
        if (current_ == this)
            throw UsageError("a pool cannot be joined by its own tasks: they would wait for themselves");
        std::vector<threading::Thread> handles;
        {
            std::unique_lock lock(mutex_);
            if (!closed_) throw UsageError("the pool is still open: close() it before join()");
            const auto is_gone = [this] { return unfinished_ == left_tasks_ && threads_ == left_threads_; };
            trace::Wait wait("Pool.join");
            if (!is_gone()) wait.begins();
            if (deadline.is_never()) {
                changed_.wait(lock, is_gone);
            } else if (!changed_.wait_until(lock, deadline.when(), is_gone)) {
                return false;
            }
            handles = handles_;
        }
        for (auto& each : handles) each.join();  // they have nothing left to do
        return true;
    }
    bool finish(bool cancel_what_waits) noexcept override {
        if (is_a_copy()) return false;
        close();
        if (cancel_what_waits) cancel_waiting();
        {
            const std::lock_guard guard(mutex_);
            if (!begun_ || current_ == this) return false;
        }
        join({});
        return !finished_.exchange(true);
    }
    void leave() noexcept override {
        if (current_ != this || is_a_copy())
            return;  // in a copy a thread that is not there may have the lock
        const std::lock_guard guard(mutex_);
        ++left_threads_;
        left_tasks_ += at_once_;
        if (closed_ && unfinished_ == left_tasks_) tasks_.shutdown();
        changed_.notify_all();
    }
    void cancel_waiting() noexcept override {
        while (auto task = take_waiting()) {
            (*task)->future().cancel();
            done_with(*task);
        }
        std::deque<TaskPointer> held_back;
        {
            const std::lock_guard guard(mutex_);
            held_back = budget_.waiting();
        }
        for (const auto& task : held_back) task->future().cancel();
    }
    void terminate() noexcept override {
        if (is_a_copy()) return;
        close();
        cancel_waiting();
    }
    std::vector<int> worker_pids() const override { return {}; }

private:
    static BackendOptions checked(BackendOptions options) {
        if (has_limits(options)) throw UsageError(no_limits);
        static std::atomic<int> pools{0};
        if (options.name.empty()) options.name = "ThreadPool-" + std::to_string(pools.fetch_add(1) + 1);
        return options;
    }

    bool is_a_copy() const noexcept { return copy_ != memory::copy_number(); }

    // The functions below, up to start_one: mutex_ is held.
    void require_open() const {
        if (is_a_copy())
            throw UsageError(
                "this pool was made by another process, and its threads are there: make one here");
        if (broken_) throw BrokenPool(*broken_);
        if (closed_)
            throw UsageError(
                "the pool is closed and nothing more can be submitted: submit before close() and shutdown(), "
                "or make another pool");
    }

    void start_one() {
        if (!begun_) finish_at_the_end(shared_from_this());
        begun_ = true;
        const std::string name = options_.name + "_" + std::to_string(started_);
        try {
            threading::Thread thread({.name = name, .daemon = true},
                                     [backend = shared_from_this()] { backend->work(); });
            thread.start();
            std::erase_if(handles_, [](const auto& each) { return !each.is_alive(); });
            handles_.push_back(thread);
        } catch (const std::exception& error) {
            if (threads_ > 0) return;  // those that are there go on
            throw BrokenPool(std::string("the pool can start no thread: ") + error.what());
        }
        ++started_;
        ++threads_;
    }

    std::optional<TaskPointer> take_waiting() noexcept {
        try {
            return tasks_.try_get();
        } catch (const ShutDown&) {
            return std::nullopt;
        }
    }

    void done_with(TaskPointer& task) {
        task->drop_call();
        if (options_.budget != 0) let_in_after(task);
        task = nullptr;
        counters_.add(PoolCounters::unfinished, -1);
        if (unfinished_.fetch_sub(1) != 1 + left_tasks_) return;
        const std::lock_guard guard(mutex_);
        if (closed_ && unfinished_ == left_tasks_)
            tasks_.shutdown();  // others may have been submitted since, before it was closed
        changed_.notify_all();
    }

    void let_in_after(const TaskPointer& done) {
        const std::lock_guard guard(mutex_);
        budget_.leave(done);
        while (auto next = budget_.next()) tasks_.put(std::move(next));
    }

    void serve(TaskPointer& task) {
        if (task->future().set_running()) {
            trace::Span span;
            if (task->arrow != 0) trace_beginning(span, task->function_name(), task->number, task->arrow);
            ++at_once_;
            task->run();
            --at_once_;
        }
        done_with(task);
    }

    bool initialise() {
        if (!options_.initialise) return true;
        try {
            options_.initialise();
            return true;
        } catch (...) {
            const auto failure = message::describe(std::current_exception());
            break_down("the initializer of the pool's workers failed: " + failure.type + ": " +
                       failure.message);
            return false;
        }
    }

    void break_down(const std::string& why) {
        {
            const std::lock_guard guard(mutex_);
            if (!broken_) broken_ = why;
            closed_ = true;
            is_broken_ = true;
        }
        while (auto task = take_waiting()) {
            (*task)->future().set_error(std::make_exception_ptr(BrokenPool(*broken_)));
            done_with(*task);
        }
    }

    bool shall_leave() {
        const std::lock_guard guard(mutex_);
        return threads_ > wanted_;
    }

    void work() noexcept {
        current_ = this;
        if (initialise()) {
            try {
                for (std::size_t done = 0; !shall_leave() && (options_.max_tasks_per_child == 0 ||
                                                              done < options_.max_tasks_per_child);
                     ++done) {
                    auto task = tasks_.get();
                    serve(task);
                }
            } catch (const ShutDown&) {
            }
        }
        current_ = nullptr;
        std::string failure;
        {
            const std::lock_guard guard(mutex_);
            --threads_;
            try {
                if (!broken_ && threads_ < std::min(wanted_, unfinished_.load())) start_one();
            } catch (const BrokenPool& error) {
                failure = error.what();
            }
        }
        if (!failure.empty()) break_down(failure);  // no thread is left to run the tasks that wait
        const std::lock_guard guard(mutex_);
        changed_.notify_all();
    }

    BackendOptions options_;
    std::size_t wanted_;
    const std::uint32_t copy_;  ///< of the process that has made it
    threading::Queue<TaskPointer> tasks_;
    std::atomic<std::size_t> unfinished_{0};
    sync::ExportedCounters counters_;
    std::atomic<bool> is_broken_{false};
    std::atomic<std::size_t> left_tasks_{0};  ///< of threads that have called exit(), and will not end them
    mutable std::mutex mutex_;                ///< guards what follows
    std::condition_variable changed_;
    Budget budget_;
    std::vector<threading::Thread> handles_;
    std::size_t threads_ = 0;
    std::size_t started_ = 0;
    std::size_t left_threads_ = 0;  ///< have called exit()
    std::uint64_t submitted_ = 0;
    bool begun_ = false;
    bool closed_ = false;
    std::atomic<bool> finished_{false};
    std::optional<std::string> broken_;

    static thread_local ThreadBackend* current_;  ///< the backend that this thread belongs to
    static thread_local std::size_t at_once_;     ///< tasks that this thread is at: one may wait for another
};

thread_local ThreadBackend* ThreadBackend::current_ = nullptr;
thread_local std::size_t ThreadBackend::at_once_ = 0;

}  // namespace

std::shared_ptr<Backend> make_thread_backend(BackendOptions options) {
    if (options.workers == 0) options.workers = static_cast<std::size_t>(platform::usable_cpus());
    return std::make_shared<ThreadBackend>(std::move(options));
}

}  // namespace chorus::inline v0::detail::pool
