// Contexts: the names of this module bound to one start method.
//
//     auto context = mp::get_context("spawn");
//     auto queue = context.Queue<int>();
//     auto process = context.Process(work, queue);
//     auto pool = context.Pool(4);
//
// Thread safety: a value.
#pragma once

#include <chorus/version.hpp>

#include <initializer_list>
#include <string>
#include <string_view>

#include <chorus/barrier.hpp>
#include <chorus/condition.hpp>
#include <chorus/event.hpp>
#include <chorus/lock.hpp>
#include <chorus/pipe.hpp>
#include <chorus/pool.hpp>
#include <chorus/process.hpp>
#include <chorus/queue.hpp>
#include <chorus/semaphore.hpp>
#include <chorus/value.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::multiprocessing {

/// A start method chosen at run time, for the processes that are made through it.
class Context {
public:
    /// The name of its start method.
    std::string get_start_method() const { return detail::worker::name_of(method_); }
    /// Throws: UsageError: a context keeps its method.
    void set_start_method(std::string_view) const {
        throw UsageError("a context keeps its start method: get another one by get_context");
    }

    /// A SpawnProcess, ForkProcess or ForkServerProcess. Function and arguments must travel, whatever
    /// the method, since that is known at run time only; ForkProcess itself takes anything.
    template <class Function, class... Args>
        requires(!std::same_as<std::remove_cvref_t<Function>, ProcessOptions>)
    multiprocessing::Process Process(Function&& function, Args&&... args) const {
        return Process(ProcessOptions{}, std::forward<Function>(function), std::forward<Args>(args)...);
    }
    /// The same, with options first.
    template <class Function, class... Args>
    multiprocessing::Process Process(ProcessOptions options, Function&& function, Args&&... args) const {
        switch (method_) {
            case StartMethod::fork:
                return ForkProcess(std::move(options), std::forward<Function>(function),
                                   std::forward<Args>(args)...);
            case StartMethod::spawn:
                return SpawnProcess(std::move(options), std::forward<Function>(function),
                                    std::forward<Args>(args)...);
            case StartMethod::forkserver: break;
        }
        return ForkServerProcess(std::move(options), std::forward<Function>(function),
                                 std::forward<Args>(args)...);
    }

    /// A pool whose workers are started by this method. Throws: as the pool's constructors; UsageError if the
    /// options name another one.
    multiprocessing::Pool Pool(std::integral auto workers, PoolOptions options = {}) const {
        return multiprocessing::Pool(workers, with_method(std::move(options)));
    }
    /// The same with as many workers as there are usable CPUs.
    multiprocessing::Pool Pool(PoolOptions options = {}) const {
        return multiprocessing::Pool(with_method(std::move(options)));
    }

    // The rest is the same in all contexts: for programs that write all names as members of one, as Python's
    // do.

    /// As multiprocessing::Queue.
    template <class T>
    multiprocessing::Queue<T> Queue(std::size_t maxsize = 0) const {
        return multiprocessing::Queue<T>(maxsize);
    }
    /// As multiprocessing::Pipe().
    std::pair<Connection, Connection> Pipe(PipeOptions options = {}) const {
        return multiprocessing::Pipe(options);
    }
    /// As multiprocessing::Lock.
    multiprocessing::Lock Lock() const { return {}; }
    /// As multiprocessing::RLock.
    multiprocessing::RLock RLock() const { return {}; }
    /// As multiprocessing::Semaphore.
    multiprocessing::Semaphore Semaphore(int value = 1) const { return multiprocessing::Semaphore(value); }
    /// As multiprocessing::BoundedSemaphore.
    multiprocessing::BoundedSemaphore BoundedSemaphore(int value = 1) const {
        return multiprocessing::BoundedSemaphore(value);
    }
    /// As multiprocessing::Event.
    multiprocessing::Event Event() const { return {}; }
    /// As multiprocessing::Condition, with its own lock or a given one.
    template <class... Locks>
    multiprocessing::Condition Condition(const Locks&... lock) const {
        return multiprocessing::Condition(lock...);
    }
    /// As multiprocessing::Barrier.
    template <class... Parts>
    multiprocessing::Barrier Barrier(Parts&&... parts) const {
        return multiprocessing::Barrier(std::forward<Parts>(parts)...);
    }
    /// As multiprocessing::Value, with a lock of its own.
    template <class T>
    multiprocessing::Value<T> Value(const T& value = {}) const {
        return multiprocessing::Value<T>(value);
    }
    /// As multiprocessing::Array, all zeros and with a lock of its own.
    template <class T>
    multiprocessing::Array<T> Array(std::size_t size) const {
        return multiprocessing::Array<T>(size);
    }
    /// As multiprocessing::Array, of these values.
    template <class T>
    multiprocessing::Array<T> Array(std::initializer_list<T> values) const {
        return multiprocessing::Array<T>(values);
    }

    /// As multiprocessing::current_process().
    multiprocessing::Process current_process() const { return multiprocessing::current_process(); }
    /// As multiprocessing::parent_process().
    std::optional<multiprocessing::Process> parent_process() const {
        return multiprocessing::parent_process();
    }
    /// As multiprocessing::active_children().
    std::vector<multiprocessing::Process> active_children() const {
        return multiprocessing::active_children();
    }
    /// As multiprocessing::cpu_count().
    int cpu_count() const noexcept { return multiprocessing::cpu_count(); }

private:
    PoolOptions with_method(PoolOptions options) const {
        const std::string mine = get_start_method();
        if (!options.start_method.empty() && options.start_method != mine)
            throw UsageError("a context keeps its start method, " + mine +
                             ": leave .start_method out, or get the "
                             "context of " +
                             options.start_method);
        options.start_method = mine;
        return options;
    }

    friend Context get_context(std::string_view name);
    friend Context get_context();
    explicit Context(StartMethod method) noexcept : method_(method) {}

    StartMethod method_;
};

/// The context of this start method. Throws: UsageError for an unknown name.
inline Context get_context(std::string_view name) {
    return Context(detail::worker::start_method_named(name));
}
/// The context of the start method chosen for Process, which this fixes as get_start_method() does.
inline Context get_context() { return Context(detail::worker::chosen_start_method()); }

}  // namespace chorus::inline v0::multiprocessing

#pragma GCC visibility pop
