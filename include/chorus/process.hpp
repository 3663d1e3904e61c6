// Process: a function running in a process of its own, with a name, a life that can be asked about,
// and an exit code.
//
//     namespace mp = chorus::multiprocessing;
//     mp::Process p(sing, 3);
//     p.start();
//     p.join();
//     p.exitcode();   // 0; N after exit(N); 1 after an exception; -SIGNAL
//
// A Process is a light value: copies mean the same process, dropping it changes nothing. Processes
// that are not daemons are joined when the program ends; daemons are ended then, and die with their
// parent however it dies. Names, states and errors follow Python's multiprocessing.Process.
//
// Threads: every function may be called from any thread. Processes: only the one that made it may
//          start, join and ask about it; in others the handle says "unknown".
// Death: the exit code tells how it died. Nothing is left behind.
#pragma once

#include <concepts>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include <chorus/deadline.hpp>
#include <chorus/detail/message/callable.hpp>
#include <chorus/start_method.hpp>

namespace chorus::worker {
struct ProcessState;
}

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::worker {
std::shared_ptr<ProcessState> make_process_state(std::string name, std::optional<bool> daemon,
                                                 std::unique_ptr<message::Call> call, const char* type_name,
                                                 std::optional<StartMethod> method);
}  // namespace chorus::worker

namespace chorus::multiprocessing {

/// What may be said about a process before its function.
struct ProcessOptions {
    std::string name{};            ///< "" for Process-N, or Process-1:N in a child
    std::optional<bool> daemon{};  ///< left out: as the process that makes it
};

/// What every handle to a process can do, however the process starts. Python's name; made as Process, or as
/// one of its kinds.
class BaseProcess {
public:
    /// Begins. Throws: UsageError at the second call, in another process than its maker, before main
    /// or when the program is ending; OsError when the system has no more processes or descriptors
    /// (the message names the limit); then nothing has changed.
    void start();

    /// Waits for the end. Returns: true once it has ended, false if the deadline passed first. May be
    /// repeated, also by several threads at once. Throws: UsageError before the start, in another
    /// process than its maker, after close.
    bool join(Deadline deadline = {});

    /// Runs the function here, in the calling process; nothing is started, nor can be afterwards.
    /// Throws: what the function throws; UsageError the second time.
    void run();

    /// Whether it was started and has not ended. Throws: UsageError in another process than its maker, after
    /// close().
    bool is_alive() const;

    /// Its name, in reports and for people; it need not be unique.
    std::string name() const;
    /// Changes the name.
    void set_name(const std::string& name);

    /// Whether it ends with its parent.
    bool daemon() const;
    /// Throws: UsageError once started.
    void set_daemon(bool daemon);

    /// 0 before the start.
    int pid() const;
    /// The same as pid().
    int ident() const { return pid(); }

    /// Empty while it has not ended; 0…255, or -SIGNAL. 255 if somebody else in this program collected
    /// the status (waitpid(-1)) on a kernel older than 6.15, which then no longer knows it.
    std::optional<int> exitcode() const;

    /// A descriptor that becomes readable when the process ends, for poll and epoll. Stays with the
    /// process's handle. Throws: UsageError before the start.
    int sentinel() const;

    /// SIGTERM, SIGKILL, SIGINT. Nothing happens if it has ended. Throws: UsageError before the start.
    void terminate();
    /// Sends SIGKILL, as terminate() does SIGTERM.
    void kill();
    /// Sends SIGINT, as terminate() does SIGTERM.
    void interrupt();

    /// Frees what the handle holds. Afterwards most calls throw UsageError. Throws: UsageError while
    /// the process runs.
    void close();

    /// Secret bytes shared by all processes of this program.
    const std::vector<unsigned char>& authkey() const;

    /// Whether both are the same process.
    friend bool operator==(const BaseProcess& a, const BaseProcess& b) { return a.state_ == b.state_; }
    /// `<Process name='Process-1' pid=8 parent=7 stopped exitcode=0>`; initial, started, stopped, closed
    /// or unknown; a signal by its name; ` daemon`.
    friend std::ostream& operator<<(std::ostream& out, const BaseProcess& process);

private:
    friend class Process;
    template <StartMethod method>
    friend class ProcessBy;

    // Only those two can be made: no class of a user's own derives from this one.
    explicit BaseProcess(std::shared_ptr<worker::ProcessState> state) : state_(std::move(state)) {}

    std::shared_ptr<worker::ProcessState> state_;
};
std::ostream& operator<<(std::ostream& out, const BaseProcess& process);

/// A function in a process of its own. A handle: copies are the same process, and dropping one changes
/// nothing. Only its maker may start, join or signal it.
class Process final : public BaseProcess {
public:
    /// A process that will call function(args…). The function is a plain function, a lambda without
    /// captures, or an object whose type travels; so are the arguments (chorus/serialize.hpp says
    /// what travels). They are written when it starts.
    template <class Function, class... Args>
        requires(!std::derived_from<std::remove_cvref_t<Function>, BaseProcess> &&
                 !std::same_as<std::remove_cvref_t<Function>, ProcessOptions> &&
                 !std::same_as<std::remove_cvref_t<Function>, std::shared_ptr<worker::ProcessState>>)
    explicit Process(Function&& function, Args&&... args)
        : Process(ProcessOptions{}, std::forward<Function>(function), std::forward<Args>(args)...) {}

    /// The same, with options first.
    template <class Function, class... Args>
    Process(ProcessOptions options, Function&& function, Args&&... args)
        : BaseProcess(worker::make_process_state(
              std::move(options.name), options.daemon,
              message::make_travelling_call(std::forward<Function>(function), std::forward<Args>(args)...),
              "Process", std::nullopt)) {}

    /// For Chorus itself.
    explicit Process(std::shared_ptr<worker::ProcessState> state) : BaseProcess(std::move(state)) {}
};

/// A Process that starts in one given way, whatever was chosen for others.
template <StartMethod method>
class ProcessBy final : public BaseProcess {
public:
    /// As Process, started by this method whatever set_start_method() says.
    template <class Function, class... Args>
        requires(!std::derived_from<std::remove_cvref_t<Function>, BaseProcess> &&
                 !std::same_as<std::remove_cvref_t<Function>, ProcessOptions>)
    explicit ProcessBy(Function&& function, Args&&... args)
        : ProcessBy(ProcessOptions{}, std::forward<Function>(function), std::forward<Args>(args)...) {}

    /// The same, with options first.
    template <class Function, class... Args>
    ProcessBy(ProcessOptions options, Function&& function, Args&&... args)
        : BaseProcess(worker::make_process_state(
              std::move(options.name), options.daemon,
              call(std::forward<Function>(function), std::forward<Args>(args)...), type_name, method)) {}

    /// The same process, as what all of them are.
    operator Process() const { return Process(state_); }

private:
    static constexpr const char* type_name = method == StartMethod::fork    ? "ForkProcess"
                                             : method == StartMethod::spawn ? "SpawnProcess"
                                                                            : "ForkServerProcess";

    template <class... Parts>
    static std::unique_ptr<message::Call> call(Parts&&... parts) {
        if constexpr (method == StartMethod::fork) {
            return message::make_local_call(std::forward<Parts>(parts)...);
        } else {
            return message::make_travelling_call(std::forward<Parts>(parts)...);
        }
    }
};

/// Started by the fork server, which is the default.
using ForkServerProcess = ProcessBy<StartMethod::forkserver>;
/// Started as the program executed anew.
using SpawnProcess = ProcessBy<StartMethod::spawn>;
/// Takes anything, also a capturing lambda: the child is a copy of this process. Of all its threads
/// only the calling one goes on there, and locks held by others stay locked.
using ForkProcess = ProcessBy<StartMethod::fork>;

/// This process.
Process current_process();
/// Who started this process; empty in the program's first one. Knows name, pid, is_alive and join.
std::optional<Process> parent_process();
/// Children that have not ended, also those whose handle was dropped. Collects those that have.
std::vector<Process> active_children();

/// CPUs of the machine, and those this process may use (affinity, cgroup quota).
int cpu_count() noexcept;
/// CPUs that this process may use: by its affinity and its control group's quota.
int process_cpu_count() noexcept;

/// The program that `spawn` and new fork servers execute; by default this program's own image. Another
/// build refuses this program's functions (BinaryMismatch).
void set_executable(const std::string& path);

/// Calls a function once in the fork server before its first child, so that all children begin with
/// what it loaded, shared and unpaid for. Throws: UsageError if the server runs already.
void set_forkserver_preload(void (*load)());

/// Ends the fork server, if there is one, and waits for it; its children are left alone. The next start by it
/// makes another one, of the environment that the program has by then. For programs that wait for all their
/// children by `wait()`, or that change what libraries read before main. Any thread may call it.
void stop_forkserver();

/// Python's helper for frozen programs; nothing is to be done here.
inline void freeze_support() noexcept {}

/// The same name as in chorus::threading, for text that is to work with both.
using Worker = Process;
/// What may be said about a worker.
using WorkerOptions = ProcessOptions;
/// The process that calls.
inline Process current_worker() { return current_process(); }

}  // namespace chorus::multiprocessing

namespace chorus {

/// As the system says it, at every call.
int getpid() noexcept;
/// The pid of who called start() for this process, or of who has it now.
int getppid() noexcept;

}  // namespace chorus

#pragma GCC visibility pop
