// Thread, Timer and local<T>: threads of control with a name, a state and an end, and per-thread values.
//
//     mt::Thread t(work, 3);
//     t.start();
//     t.join();
//     mt::Timer timer(5s, remind, "tea");     // a thread that waits first; timer.cancel()
//     mt::local<int> depth;                   // each thread has its own: *depth += 1
//
// Semantics: names, states and errors follow Python's threading. A Thread is a light value: its copies refer
// to the same thread, and dropping one changes nothing. Threads that are not daemons are joined when the
// program ends; daemons are halted before static objects are destroyed.
//
// Thread safety: any thread may make any call.
// Crash safety: a thread cannot die alone; an exception that leaves its function goes to the excepthook.
#pragma once

#include <chorus/version.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include <chorus/deadline.hpp>
#include <chorus/detail/handle.hpp>
#include <chorus/detail/message/callable.hpp>
#include <chorus/detail/worker/local_values.hpp>

namespace chorus::inline v0::detail::worker {
struct ThreadState;
}

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::threading {

/// Options of a thread.
struct ThreadOptions {
    std::string name{};            ///< "" for Thread-N, or Thread-N (function)
    std::optional<bool> daemon{};  ///< left out: inherited from the thread that makes it
};

}  // namespace chorus::inline v0::threading

namespace chorus::inline v0::detail::worker {
std::shared_ptr<ThreadState> make_thread_state(threading::ThreadOptions options,
                                               std::unique_ptr<message::Call> call, const char* type_name);
}  // namespace chorus::inline v0::detail::worker

namespace chorus::inline v0::threading {

/// What the handles of all threads have in common.
class BaseThread {
public:
    /// Starts it. Throws: UsageError at the second call and while the program ends; OsError if the system has
    /// no more threads. Then nothing has changed.
    void start() const;

    /// Waits for its end: the function has returned and the thread's thread_locals are destroyed. Returns
    /// true once it has ended, false if the deadline passes first. May be repeated, also by several threads
    /// at once. Throws: UsageError before the start, in the thread itself, for a thread that Chorus did not
    /// make, and for a daemon that was halted at the end of the program.
    bool join(Deadline deadline = {}) const;

    /// Calls the function here, in the calling thread; it cannot be started afterwards.
    /// Throws: what the function throws; UsageError at the second call.
    void run() const;

    /// From start() until the end.
    bool is_alive() const;

    /// Its name, for reports; need not be unique.
    std::string name() const;
    /// Changes the name. The system's name of the thread changes only if a thread renames itself.
    void set_name(const std::string& name) const;

    /// Whether the end of the program does not wait for it.
    bool daemon() const;
    /// Throws: UsageError once started.
    void set_daemon(bool daemon) const;

    /// As in the text form; 0 before the start. May be reused after the end.
    std::uintptr_t ident() const;
    /// The kernel's thread id; 0 before the start.
    int native_id() const;
    /// Whether the handle refers to a thread: false after it was moved from. Calls throw UsageError then.
    bool valid() const noexcept { return static_cast<bool>(state_); }

    /// Whether both refer to the same thread.
    friend bool operator==(const BaseThread& a, const BaseThread& b) { return a.state_ == b.state_; }
    /// <Thread(Thread-1 (work), started 140407841228480)>; initial, started or stopped, ` daemon`.
    friend std::ostream& operator<<(std::ostream& out, const BaseThread& thread);

private:
    friend class Thread;
    friend class Timer;

    friend detail::Access;

    // Private, so that no class of a user derives from this one: a run() of its own would be ignored.
    explicit BaseThread(std::shared_ptr<detail::worker::ThreadState> state) : state_(std::move(state)) {}

    detail::Handle<detail::worker::ThreadState> state_;
};
std::ostream& operator<<(std::ostream& out, const BaseThread& thread);

/// A function in a thread of its own.
class Thread final : public BaseThread {
public:
    /// A thread that will call function(args…). Takes any callable; arguments are copied or moved, as
    /// std::thread does.
    template <class Function, class... Args>
        requires(!std::derived_from<std::remove_cvref_t<Function>, BaseThread> &&
                 !std::same_as<std::remove_cvref_t<Function>, ThreadOptions>)
    explicit Thread(Function&& function, Args&&... args)
        : Thread(ThreadOptions{}, std::forward<Function>(function), std::forward<Args>(args)...) {}

    /// The same, with options first.
    template <class Function, class... Args>
    Thread(ThreadOptions options, Function&& function, Args&&... args)
        : BaseThread(detail::worker::make_thread_state(
              std::move(options),
              detail::message::make_local_call(std::forward<Function>(function), std::forward<Args>(args)...),
              "Thread")) {}

private:
    friend detail::Access;
    explicit Thread(std::shared_ptr<detail::worker::ThreadState> state) : BaseThread(std::move(state)) {}
};

/// A thread that waits for an interval before it calls its function, and can be cancelled until then.
class Timer final : public BaseThread {
public:
    /// The interval counts from start(); a negative one fires immediately.
    template <class Rep, class Period, class Function, class... Args>
    Timer(std::chrono::duration<Rep, Period> interval, Function&& function, Args&&... args)
        : Timer(std::chrono::duration<double>(interval),
                detail::message::make_local_call(std::forward<Function>(function),
                                                 std::forward<Args>(args)...)) {}

    /// Cancels the call. No effect once the function was called.
    void cancel() const;

    /// The same thread.
    operator Thread() const { return detail::Access::make<Thread>(detail::Access::state(*this)); }

private:
    struct Bell;

    Timer(std::chrono::duration<double> interval, std::unique_ptr<detail::message::Call> call);
    Timer(std::shared_ptr<Bell> bell, std::chrono::duration<double> interval,
          std::unique_ptr<detail::message::Call> call);

    detail::Handle<Bell> bell_;
};

/// The calling thread. One that Chorus did not make shows as a daemon that is always alive.
Thread current_thread();
/// The program's first thread; in a child of fork() the thread that forked.
Thread main_thread();
/// All living threads that Chorus knows: the main thread, those started, and others that have called
/// current_thread().
std::vector<Thread> enumerate();
/// The length of enumerate().
std::size_t active_count();

/// The caller's ident() and native_id().
std::uintptr_t get_ident() noexcept;
/// The caller's native_id(): the number that the system, debuggers and `top -H` show.
int get_native_id() noexcept;

/// Sets the stack size in bytes of threads started from now on; 0: the system's default. Returns the previous
/// one. Throws: UsageError if it is below the system's minimum (32 KiB).
std::size_t stack_size(std::size_t bytes);
/// The stack size in bytes of threads started from now on; 0: the system's default.
std::size_t stack_size() noexcept;

/// Raises a signal in the main thread, SIGINT by default. Throws: UsageError if it is no signal.
void interrupt_main(int signal = 2);

/// The argument of an excepthook.
struct ExceptHookArgs {
    std::string exc_type;          ///< demangled name of the C++ type
    std::exception_ptr exc_value;  ///< the exception itself
    std::string exc_traceback;     ///< the stack at the throw, one frame a line
    std::optional<Thread> thread;  ///< that threw
};
/// The argument of set_excepthook().
using ExceptHook = std::function<void(const ExceptHookArgs&)>;

/// Calls the current hook, as for an exception that leaves a thread's function. An empty exc_type is filled
/// in from the exception.
void excepthook(const ExceptHookArgs& args);
/// Sets the hook; an empty one restores the original. Returns the previous one. An exception of the hook is
/// reported on stderr.
ExceptHook set_excepthook(ExceptHook hook);
/// The original: a report on stderr headed by the thread's name.
void default_excepthook(const ExceptHookArgs& args);

/// The same name as in chorus::multiprocessing, for code that works with both.
using Worker = Thread;
/// Options of a worker.
using WorkerOptions = ThreadOptions;
/// The calling thread.
inline Thread current_worker() { return current_thread(); }

/// A value for each thread: made at its first use there, destroyed when the thread ends, after its
/// thread_locals, or with this object. The main thread's value is destroyed with this object.
template <class T>
class local {
public:
    /// Each thread's value is made from these arguments, which are stored.
    template <class... Args>
        requires std::constructible_from<T, const std::decay_t<Args>&...>
    explicit local(Args&&... args)
        : values_(std::make_shared<detail::worker::LocalValues>(
              [... args = std::decay_t<Args>(std::forward<Args>(args))]() -> std::shared_ptr<void> {
                  return std::make_shared<T>(args...);
              })) {}
    local(const local&) = delete;
    local& operator=(const local&) = delete;
    ~local() { values_->clear(); }

    /// The calling thread's value.
    T& operator*() const { return *get(); }
    /// The calling thread's value.
    T* operator->() const { return get(); }
    /// The calling thread's value.
    T* get() const { return static_cast<T*>(detail::worker::LocalValues::get(values_)); }

private:
    std::shared_ptr<detail::worker::LocalValues> values_;
};

}  // namespace chorus::inline v0::threading

#pragma GCC visibility pop
