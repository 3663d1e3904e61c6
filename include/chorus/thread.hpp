// Thread: one thread of control, with a name, a life that can be asked about, and an end.
//
//     namespace mt = chorus::threading;
//     mt::Thread t(work, 3);
//     t.start();
//     t.join();
//
// A Thread is a light value: copies mean the same thread, dropping it changes nothing. Threads that
// are not daemons are joined when the program ends, daemons are halted before statics are destroyed.
// Names, states and errors follow Python's threading.Thread.
//
// Threads: every function may be called from any thread.
// Death: a thread cannot die alone; an exception that leaves its function goes to the excepthook.
#pragma once

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
#include <chorus/detail/message/callable.hpp>

namespace chorus::worker {
struct ThreadState;
}

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::threading {

/// What may be said about a thread before its function.
struct ThreadOptions {
    std::string name{};            ///< "" for Thread-N, or Thread-N (function)
    std::optional<bool> daemon{};  ///< left out: as the thread that makes it, if Chorus made that one
};

}  // namespace chorus::threading

namespace chorus::worker {
std::shared_ptr<ThreadState> make_thread_state(threading::ThreadOptions options,
                                               std::unique_ptr<message::Call> call, const char* type_name);
}  // namespace chorus::worker

namespace chorus::threading {

/// What every handle to a thread can do. Made as Thread or as Timer.
class BaseThread {
public:
    /// Begins. Throws: UsageError at the second call and when the program is ending; OsError when the
    /// system has no more threads; then nothing has changed.
    void start();

    /// Waits for the end: the function has returned and the thread's thread_locals are destroyed.
    /// Returns: true once it has ended, false if the deadline passed first. May be repeated, also by
    /// several threads at once. Throws: UsageError before the start, in the thread itself, for a
    /// thread not made by Chorus, and for a daemon halted at the program's end.
    bool join(Deadline deadline = {});

    /// Runs the function here, in the calling thread; nothing is started, nor can be afterwards.
    /// Throws: what the function throws; UsageError the second time.
    void run();

    /// From start() until the end.
    bool is_alive() const;

    /// Its name, in reports and for people; it need not be unique.
    std::string name() const;
    /// Shown from now on. The system sees it if a thread renames itself.
    void set_name(const std::string& name);

    /// Whether the program's end does not wait for it.
    bool daemon() const;
    /// Throws: UsageError once started.
    void set_daemon(bool daemon);

    /// As the text form shows it; 0 before the start. May be used again after the end.
    std::uintptr_t ident() const;
    /// The kernel's number for the thread; 0 before the start.
    int native_id() const;

    /// Whether both are the same thread.
    friend bool operator==(const BaseThread& a, const BaseThread& b) { return a.state_ == b.state_; }
    /// <Thread(Thread-1 (work), started 140407841228480)>; initial, started or stopped, ` daemon`.
    friend std::ostream& operator<<(std::ostream& out, const BaseThread& thread);

private:
    friend class Thread;
    friend class Timer;

    // Only those two can be made: no class of a user's own derives from this one.
    explicit BaseThread(std::shared_ptr<worker::ThreadState> state) : state_(std::move(state)) {}

    std::shared_ptr<worker::ThreadState> state_;
};
std::ostream& operator<<(std::ostream& out, const BaseThread& thread);

/// A function in a thread of its own. A handle: copies are the same thread, and dropping one changes nothing.
/// Any thread may call anything on it.
class Thread final : public BaseThread {
public:
    /// A thread that will call function(args…). Takes anything that can be called; arguments are
    /// copied or moved, as std::thread does.
    template <class Function, class... Args>
        requires(!std::derived_from<std::remove_cvref_t<Function>, BaseThread> &&
                 !std::same_as<std::remove_cvref_t<Function>, ThreadOptions> &&
                 !std::same_as<std::remove_cvref_t<Function>, std::shared_ptr<worker::ThreadState>>)
    explicit Thread(Function&& function, Args&&... args)
        : Thread(ThreadOptions{}, std::forward<Function>(function), std::forward<Args>(args)...) {}

    /// The same, with options first.
    template <class Function, class... Args>
    Thread(ThreadOptions options, Function&& function, Args&&... args)
        : BaseThread(worker::make_thread_state(
              std::move(options),
              message::make_local_call(std::forward<Function>(function), std::forward<Args>(args)...),
              "Thread")) {}

    /// For Chorus itself.
    explicit Thread(std::shared_ptr<worker::ThreadState> state) : BaseThread(std::move(state)) {}
};

/// The calling thread. One not made by Chorus shows as a daemon that is always alive.
Thread current_thread();
/// The program's first thread; in a child made by fork the one that forked.
Thread main_thread();
/// All alive threads that are known: the main one, those started, and foreign ones that asked.
std::vector<Thread> enumerate();
/// How many enumerate() gives.
std::size_t active_count();

/// The caller's ident() and native_id().
std::uintptr_t get_ident() noexcept;
/// The caller's native_id(): the number that the system, debuggers and `top -H` know.
int get_native_id() noexcept;

/// Stack size in bytes of threads started from now on; 0 is the system's default. Returns the one
/// before. Throws: UsageError if it is smaller than the system's smallest (32 KiB).
std::size_t stack_size(std::size_t bytes);
/// Stack size in bytes of threads started from now on; 0 is the system's default.
std::size_t stack_size() noexcept;

/// Raises a signal in the main thread, SIGINT by default. Throws: UsageError for no signal's number.
void interrupt_main(int signal = 2);

/// What an excepthook is told.
struct ExceptHookArgs {
    std::string exc_type;          ///< readable name of the C++ type
    std::exception_ptr exc_value;  ///< the exception itself, to be thrown again
    std::string exc_traceback;     ///< the stack at the throw, one frame a line
    std::optional<Thread> thread;  ///< whose exception it is
};
/// What set_excepthook() takes.
using ExceptHook = std::function<void(const ExceptHookArgs&)>;

/// Calls the hook in force, as is done for an exception that leaves a thread's function. An empty exc_type is
/// filled in from the exception.
void excepthook(const ExceptHookArgs& args);
/// Sets the hook; an empty one restores the original. Returns the one before. A hook that throws is
/// itself reported on stderr.
ExceptHook set_excepthook(ExceptHook hook);
/// The original: a report on stderr headed by the thread's name.
void default_excepthook(const ExceptHookArgs& args);

/// The same name as in chorus::multiprocessing, for text that is to work with both.
using Worker = Thread;
/// What may be said about a worker.
using WorkerOptions = ThreadOptions;
/// The thread that calls.
inline Thread current_worker() { return current_thread(); }

}  // namespace chorus::threading

#pragma GCC visibility pop
