// Process: a function in a process of its own, with a name, a state and an exit code; and the start methods.
//
//     namespace mp = chorus::multiprocessing;
//     mp::Process p(sing, 3);
//     p.start();
//     p.join();
//     p.exitcode();   // 0; N after exit(N); 1 after an exception; -SIGNAL
//
// Semantics: names, states and errors follow Python's multiprocessing.Process. A Process is a light value:
// its copies refer to the same process, and dropping one changes nothing. Processes that are not daemons are
// joined when the program ends; daemons are terminated then, and die with their parent however it dies.
//
// Thread safety: any thread may make any call. Only the process that made a Process may start, join and query
//        it; in others the handle says "unknown".
// Crash safety: the exit code tells how a process died. Nothing of it is left behind.
#pragma once

#include <chorus/version.hpp>

#include <concepts>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include <chorus/deadline.hpp>
#include <chorus/detail/handle.hpp>
#include <chorus/detail/message/callable.hpp>

namespace chorus::inline v0::detail::worker {
struct ProcessState;
}

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0 {

/// How a child process is started.
enum class StartMethod {
    forkserver,  ///< a copy of a fresh image of the program, which waits for requests; the default
    spawn,       ///< the program is executed anew
    fork         ///< a copy of the caller, as fork() makes it, with only the calling thread
};

namespace multiprocessing {

/// Chooses how Process starts. Throws: UsageError for an unknown name, or if the choice was already made or
/// used (Python raises RuntimeError), unless forced.
void set_start_method(std::string_view name, bool force = false);
/// The choice. Asking fixes it, as in Python.
std::string get_start_method();
/// With `allow_none` asking fixes nothing; empty if no choice was made yet.
std::optional<std::string> get_start_method(bool allow_none);
/// All names; the default is the first.
std::vector<std::string> get_all_start_methods();

}  // namespace multiprocessing
}  // namespace chorus::inline v0

namespace chorus::inline v0::detail::worker {

std::string name_of(StartMethod method);
/// Throws: UsageError that lists the names there are.
StartMethod start_method_named(std::string_view name);
/// The choice for Process, which is fixed by this.
StartMethod chosen_start_method();
std::shared_ptr<ProcessState> make_process_state(std::string name, std::optional<bool> daemon,
                                                 std::unique_ptr<message::Call> call, const char* type_name,
                                                 std::optional<StartMethod> method);
}  // namespace chorus::inline v0::detail::worker

namespace chorus::inline v0::multiprocessing {

/// Options of a process.
struct ProcessOptions {
    std::string name{};            ///< "" for Process-N, or Process-1:N in a child
    std::optional<bool> daemon{};  ///< left out: inherited from the process that makes it
};

/// What the handles of all processes have in common, however they start. Python's name.
class BaseProcess {
public:
    /// Starts it. Throws: UsageError at the second call, in another process than its maker, before main or
    /// while the program ends; OsError if the system has no more processes or descriptors (the message names
    /// the limit). Then nothing has changed.
    void start() const;

    /// Waits for its end. Returns true once it has ended, false if the deadline passes first. May be
    /// repeated, also by several threads at once. Throws: UsageError before the start, in another process
    /// than its maker, and after close().
    bool join(Deadline deadline = {}) const;

    /// Calls the function here, in the calling process; it cannot be started afterwards.
    /// Throws: what the function throws; UsageError at the second call.
    void run() const;

    /// Whether it was started and has not ended. Throws: UsageError in another process than its maker, after
    /// close().
    bool is_alive() const;

    /// Its name, for reports; need not be unique.
    std::string name() const;
    /// Changes the name.
    void set_name(const std::string& name) const;

    /// Whether it is terminated when its parent ends.
    bool daemon() const;
    /// Throws: UsageError once started.
    void set_daemon(bool daemon) const;

    /// Its process id; 0 before the start.
    int pid() const;
    /// The same as pid().
    int ident() const { return pid(); }

    /// Empty while it runs; then 0…255, or -SIGNAL. Empty too if other code of this program has collected the
    /// exit status, as waitpid(-1) does, and neither the kernel (Linux 6.15) nor the process itself tells.
    std::optional<int> exitcode() const;

    /// A descriptor that becomes readable when the process ends, for poll and epoll. The handle owns it.
    /// Throws: UsageError before the start.
    int sentinel() const;

    /// Sends SIGTERM; no effect if it has ended. Throws: UsageError before the start.
    void terminate() const;
    /// Sends SIGKILL, as terminate() does SIGTERM.
    void kill() const;
    /// Sends SIGINT, as terminate() does SIGTERM.
    void interrupt() const;

    /// Frees the resources of the handle and its copies. Most calls throw UsageError afterwards. Throws:
    /// UsageError while the process runs.
    void close() const;
    /// Whether the handle refers to a process: false after it was moved from. Calls throw UsageError then.
    bool valid() const noexcept { return static_cast<bool>(state_); }

    /// Secret bytes shared by all processes of this program.
    const std::vector<unsigned char>& authkey() const;

    /// Whether both refer to the same process.
    friend bool operator==(const BaseProcess& a, const BaseProcess& b) { return a.state_ == b.state_; }
    /// `<Process name='Process-1' pid=8 parent=7 stopped exitcode=0>`; initial, started, stopped, closed
    /// or unknown; a signal by its name; ` daemon`.
    friend std::ostream& operator<<(std::ostream& out, const BaseProcess& process);

private:
    friend class Process;
    template <StartMethod method>
    friend class ProcessBy;

    friend detail::Access;

    // Private, so that no class of a user derives from this one: a run() of its own would be ignored.
    explicit BaseProcess(std::shared_ptr<detail::worker::ProcessState> state) : state_(std::move(state)) {}

    detail::Handle<detail::worker::ProcessState> state_;
};
std::ostream& operator<<(std::ostream& out, const BaseProcess& process);

/// A function in a process of its own.
class Process final : public BaseProcess {
public:
    /// A process that will call function(args…). The function is a plain function, a lambda without
    /// captures, or an object whose type travels; so are the arguments (chorus/serialize.hpp says what
    /// travels). They are serialised when it starts.
    template <class Function, class... Args>
        requires(!std::derived_from<std::remove_cvref_t<Function>, BaseProcess> &&
                 !std::same_as<std::remove_cvref_t<Function>, ProcessOptions>)
    explicit Process(Function&& function, Args&&... args)
        : Process(ProcessOptions{}, std::forward<Function>(function), std::forward<Args>(args)...) {}

    /// The same, with options first.
    template <class Function, class... Args>
    Process(ProcessOptions options, Function&& function, Args&&... args)
        : BaseProcess(detail::worker::make_process_state(
              std::move(options.name), options.daemon,
              detail::message::make_travelling_call(std::forward<Function>(function),
                                                    std::forward<Args>(args)...),
              "Process", std::nullopt)) {}

private:
    friend detail::Access;
    explicit Process(std::shared_ptr<detail::worker::ProcessState> state) : BaseProcess(std::move(state)) {}
};

/// A Process with a start method of its own.
template <StartMethod method>
class ProcessBy final : public BaseProcess {
public:
    /// As Process, with this start method whatever set_start_method() says.
    template <class Function, class... Args>
        requires(!std::derived_from<std::remove_cvref_t<Function>, BaseProcess> &&
                 !std::same_as<std::remove_cvref_t<Function>, ProcessOptions>)
    explicit ProcessBy(Function&& function, Args&&... args)
        : ProcessBy(ProcessOptions{}, std::forward<Function>(function), std::forward<Args>(args)...) {}

    /// The same, with options first.
    template <class Function, class... Args>
    ProcessBy(ProcessOptions options, Function&& function, Args&&... args)
        : BaseProcess(detail::worker::make_process_state(
              std::move(options.name), options.daemon,
              call(std::forward<Function>(function), std::forward<Args>(args)...), type_name, method)) {}

    /// The same process.
    operator Process() const { return detail::Access::make<Process>(detail::Access::state(*this)); }

private:
    static constexpr const char* type_name = method == StartMethod::fork    ? "ForkProcess"
                                             : method == StartMethod::spawn ? "SpawnProcess"
                                                                            : "ForkServerProcess";

    template <class... Parts>
    static std::unique_ptr<detail::message::Call> call(Parts&&... parts) {
        if constexpr (method == StartMethod::fork) {
            return detail::message::make_local_call(std::forward<Parts>(parts)...);
        } else {
            return detail::message::make_travelling_call(std::forward<Parts>(parts)...);
        }
    }
};

/// Started by the fork server, which is the default.
using ForkServerProcess = ProcessBy<StartMethod::forkserver>;
/// Started as the program executed anew.
using SpawnProcess = ProcessBy<StartMethod::spawn>;
/// Takes anything, also a capturing lambda: the child is a copy of this process. Only the calling thread
/// exists there, and locks held by other threads stay locked.
using ForkProcess = ProcessBy<StartMethod::fork>;

/// This process.
Process current_process();
/// The process that started this one; empty in the program's first. Has name(), pid(), is_alive() and join().
std::optional<Process> parent_process();
/// The children that run, also those whose handle was dropped. Collects the exit status of the others.
std::vector<Process> active_children();

/// CPUs of the machine.
int cpu_count() noexcept;
/// CPUs that this process may use: by its affinity and the quota of its control group.
int process_cpu_count() noexcept;

/// The program that `spawn` and new fork servers execute; by default this program's own image. Another
/// build refuses this program's functions (BinaryMismatch).
void set_executable(const std::string& path);

/// Calls a function once in the fork server, before its first child: all children start with what it loaded,
/// in shared pages. Throws: UsageError if the server runs already.
void set_forkserver_preload(void (*load)());

/// Ends the fork server, if there is one, and waits for it; its children keep running. The next start makes
/// another one, with the environment that the program has then. For programs that wait for all their children
/// by `wait()`, or that change variables which libraries read before main.
void stop_forkserver();

/// Python's helper for frozen programs; has no effect.
inline void freeze_support() noexcept {}

/// The same name as in chorus::threading, for code that works with both.
using Worker = Process;
/// Options of a worker.
using WorkerOptions = ProcessOptions;
/// The calling process.
inline Process current_worker() { return current_process(); }

}  // namespace chorus::inline v0::multiprocessing

namespace chorus::inline v0 {

/// The process id, from the system at each call.
int getpid() noexcept;
/// The pid of the process that called start() for this one; after its death, of the process that adopted it.
int getppid() noexcept;

}  // namespace chorus::inline v0

#pragma GCC visibility pop
