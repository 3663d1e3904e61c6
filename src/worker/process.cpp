#include <chorus/process.hpp>

#include <algorithm>
#include <csignal>
#include <map>

#include "platform/cpus.hpp"
#include "platform/fork_mutex.hpp"
#include "platform/look.hpp"
#include "platform/os_thread.hpp"
#include "platform/process_handle.hpp"
#include "platform/process_id.hpp"
#include "platform/signals.hpp"
#include "sync/process_names.hpp"
#include "trace/trace.hpp"
#include "worker/fork_server.hpp"
#include "worker/lifetime.hpp"
#include "worker/process_state.hpp"
#include "worker/reexec.hpp"
#include "worker/report.hpp"
#include "worker/running_time.hpp"
#include "worker/start_child.hpp"

namespace chorus::inline v0 {
namespace detail::worker {
namespace {

// The children that were started and not yet collected. The set of their descriptors tells at once
// which of 10,000 have ended.
struct Children {
    platform::ForkMutex mutex;
    std::map<int, ProcessPointer> by_pid;
    std::optional<platform::ReadySet> endings;
};

Children& children() {
    static auto* const instance = new Children;
    return *instance;
}
// Before main: a fork while another thread makes it would leave a copy that waits for ever.
[[maybe_unused]] auto& children_made = children();

// Before there is one: without a descriptor for the set it could not be known.
void prepare_to_add_child() {
    auto& here = children();
    const std::lock_guard guard(here.mutex);
    if (!here.endings) here.endings.emplace();
}

void add_child(const ProcessPointer& state, int pid, int process) {
    auto& here = children();
    const std::lock_guard guard(here.mutex);
    const auto place = here.by_pid.insert_or_assign(pid, state).first;
    try {
        here.endings->add(process, static_cast<std::uint64_t>(pid));
    } catch (...) {
        here.by_pid.erase(place);
        throw;
    }
}

void remove_child(int pid, int process) {
    auto& here = children();
    const std::lock_guard guard(here.mutex);
    if (here.by_pid.erase(pid) != 0) here.endings->remove(process);
}

void collect_ended_children() {
    for (;;) {
        std::vector<ProcessPointer> ended;
        {
            auto& here = children();
            const std::lock_guard guard(here.mutex);
            if (!here.endings) return;
            for (const auto tag : here.endings->wait(now)) {
                const auto found = here.by_pid.find(static_cast<int>(tag));
                if (found != here.by_pid.end()) ended.push_back(found->second);
            }
        }
        if (ended.empty()) return;
        for (const auto& state : ended) poll(*state);
    }
}

std::string default_name(const char* type_name, const std::vector<int>& path) {
    std::string name = std::string(type_name) + "-";
    for (std::size_t i = 0; i < path.size(); ++i) name += (i == 0 ? "" : ":") + std::to_string(path[i]);
    return name;
}

void require_maker(const ProcessState& state, const char* what) {
    if (state.kind == ProcessState::Kind::self)
        throw UsageError(std::string("cannot ") + what + " the current process");
    if (state.kind == ProcessState::Kind::child && state.maker_pid != platform::process_id()) {
        throw UsageError(std::string("can only ") + what + " a child process: " + state.name +
                         " was made by process " + std::to_string(state.maker_pid) + ", this is " +
                         std::to_string(platform::process_id()));
    }
}

void require_child(const ProcessState& state, const char* what) {
    if (state.kind != ProcessState::Kind::child)
        throw UsageError(std::string("can only ") + what + " a child process, not " + state.name);
}

void require_open(const ProcessState& state) {
    if (state.phase == ProcessState::Phase::closed) throw UsageError("process " + state.name + " is closed");
}

void require_started(const ProcessState& state, const std::string& what) {
    require_open(state);
    if (state.phase < ProcessState::Phase::started)
        throw UsageError("cannot " + what + " " + state.name + " before it is started: call start() first");
}

// Of one that cannot say it itself any more. Requires: state.mutex is held.
void trace_end(const ProcessState& state) {
    if (!state.exitcode) return trace::instant_of(state.pid, trace::Kind::life, "ended");
    const int exitcode = *state.exitcode;
    if (exitcode >= 0)
        return trace::instant_of(state.pid, trace::Kind::life, "ended", {{"exitcode", exitcode}});
    std::string story = "killed by " + platform::signal_name(-exitcode);
    try {
        if (state.report) story = death_of(exitcode, Report(state.report), state.memory_limit).what;
    } catch (const std::exception&) {  // who asks whether it lives need not hear of that
    }
    trace::instant_of(state.pid, trace::Kind::life, "died", {{"story", story}});
}

// Requires: state.mutex is held.
bool poll_locked(ProcessState& state) {
    if (state.phase != ProcessState::Phase::started) return state.phase == ProcessState::Phase::stopped;
    if (!platform::process_has_ended(state.process->get())) return false;
    remove_child(state.pid, state.process->get());
    if (const auto ended = platform::collect(state.process->get())) {
        state.exitcode = ended->exitcode;
        state.peak_memory = ended->peak_memory;
    } else {
        state.exitcode = state.exit.exitcode(state.pid);  // what it wrote itself, if it had the time
    }
    state.exit = {};
    state.phase = ProcessState::Phase::stopped;
    if (trace::is_on()) trace_end(state);
    return true;
}

}  // namespace

ProcessPointer make_process_state(std::string name, std::optional<bool> daemon,
                                  std::unique_ptr<message::Call> call, const char* type_name,
                                  std::optional<StartMethod> method) {
    auto state = std::make_shared<ProcessState>();
    state->type_name = type_name;
    state->path = next_child_path();
    state->method = method;
    state->maker_pid = platform::process_id();
    state->name = name.empty() ? default_name(type_name, state->path) : std::move(name);
    state->daemon = daemon.value_or(identity().daemon);
    state->call = std::move(call);
    return state;
}

void start(const ProcessPointer& state) {
    if (!has_begun()) {
        throw UsageError(
            "a process can only be started after main has begun: a static object that starts one would start "
            "it again in each child "
            "(or the program was linked without Chorus's link options, see its CMake target and pkg-config "
            "file)");
    }
    if (is_ending()) {
        stay_if_another_leaves();
        throw UsageError("cannot start " + state->name + ": the program is ending");
    }
    collect_ended_children();
    const auto method = state->method ? *state->method : chosen_start_method();
    std::unique_lock lock(state->mutex);
    require_open(*state);
    require_maker(*state, "start");
    if (state->phase != ProcessState::Phase::initial)
        throw UsageError("cannot start " + state->name + " twice: make a new Process");
    ChildRequest birth = birth_of(*state, method);
    auto call = std::move(state->call);
    state->phase = ProcessState::Phase::starting;
    begun_here.children = true;
    // Not locked while the child is made: by fork it is a copy of this very moment, and may use its
    // handles.
    lock.unlock();
    try {
        if (!call)
            throw UsageError("cannot start " + birth.identity.name +
                             ": its function has been run here already");
        prepare_to_add_child();
        auto process = std::make_shared<platform::FileDescriptor>();
        auto newborn = start_child(method, std::move(birth), *call, state->report.get());
        *process = std::move(newborn.process);
        lock.lock();
        state->pid = newborn.pid;
        state->process = std::move(process);
        state->exit = std::move(newborn.exit);
        state->born = Deadline::Clock::now();
        state->phase = ProcessState::Phase::started;
        add_child(state, state->pid, state->process->get());
        sync::publish_process_name(state->pid, state->name);
        sync::publish_process_name(state->maker_pid, identity().name);
        if (trace::is_on()) trace::instant(trace::Kind::life, "start " + state->name, {{"pid", state->pid}});
    } catch (...) {
        if (!lock.owns_lock()) lock.lock();
        if (state->phase == ProcessState::Phase::started) {
            // It runs already, and must not run twice: it is ended, and this was its only start.
            platform::signal_process(state->process->get(), SIGKILL);
            platform::wait_readable(state->process->get());
            poll_locked(*state);
            throw;
        }
        state->phase = ProcessState::Phase::initial;
        state->call = std::move(call);
        throw;
    }
}

bool poll(ProcessState& state) {
    const std::lock_guard guard(state.mutex);
    return poll_locked(state);
}

namespace {

// To be woken takes about as long as a short-lived child lives: so who joins a newborn looks on for that
// long, before it sleeps.
constexpr auto childhood = std::chrono::microseconds(300);

bool ends_young(int process, Deadline::Clock::time_point born) {
    platform::Look look(born + childhood - Deadline::Clock::now());
    do {
        if (platform::process_has_ended(process)) return true;
    } while (look.again());
    return false;
}

// `wait` waits for the descriptor it is given.
template <class Wait>
bool join_by(const ProcessPointer& state, bool for_ever, Wait wait_for_end) {
    std::shared_ptr<const platform::FileDescriptor> process;
    Deadline::Clock::time_point born;
    {
        const std::lock_guard guard(state->mutex);
        require_started(*state, "join");
        require_maker(*state, "join");
        if (state->phase == ProcessState::Phase::stopped) return true;
        process = state->process;
        born = state->born;
    }
    const bool ended = for_ever && ends_young(process->get(), born);
    if (!ended) {
        trace::Wait wait("Process.join");
        wait.begins();
        if (!wait_for_end(process->get())) return false;
    }
    return state->kind == ProcessState::Kind::parent || poll(*state);
}

}  // namespace

bool join(const ProcessPointer& state, Deadline deadline) {
    return join_by(state, deadline.is_never(),
                   [&](int process) { return platform::wait_readable(process, deadline); });
}

bool join_within(const ProcessPointer& state, const Deadline& timeout) {
    RunningTime time;
    const auto until = RunningTime::after(time.now(), timeout);
    return join_by(state, false, [&](int process) { return time.wait_readable(process, until); });
}

void send_signal(const ProcessPointer& state, int signal) {
    const std::lock_guard guard(state->mutex);
    require_child(*state, "signal");
    require_started(*state, "signal");
    require_maker(*state, "signal");
    if (!poll_locked(*state)) platform::signal_process(state->process->get(), signal);
}

std::vector<ProcessPointer> living_children() {
    collect_ended_children();
    auto& here = children();
    const std::lock_guard guard(here.mutex);
    std::vector<ProcessPointer> living;
    for (const auto& [pid, state] : here.by_pid) living.push_back(state);
    std::sort(living.begin(), living.end(),
              [](const auto& a, const auto& b) { return a->path.back() < b->path.back(); });
    return living;
}

bool join_children() {
    const auto living = living_children();
    for (const auto& state : living) {
        if (state->daemon) send_signal(state, SIGTERM);
    }
    for (const auto& state : living) {
        // A daemon that will not go is not waited for: it must not keep the program.
        if (state->daemon && !join_within(state, std::chrono::seconds(1))) send_signal(state, SIGKILL);
        join(state, {});
    }
    return !living.empty();
}

void forget_children() {
    auto& here = children();
    const std::lock_guard guard(here.mutex);
    here.endings.reset();
    here.by_pid.clear();
}

}  // namespace detail::worker

namespace multiprocessing {

using detail::worker::ProcessState;

void BaseProcess::start() const { detail::worker::start(detail::Access::state(*this)); }
bool BaseProcess::join(Deadline deadline) const {
    return detail::worker::join(detail::Access::state(*this), deadline);
}

void BaseProcess::run() const {
    std::unique_ptr<detail::message::Call> call;
    {
        const std::lock_guard guard(state_->mutex);
        detail::worker::require_open(*state_);
        call = std::move(state_->call);
    }
    if (!call) throw UsageError("cannot run " + name() + ": its function has been run or started already");
    call->invoke(nullptr);
}

bool BaseProcess::is_alive() const {
    if (state_->kind == ProcessState::Kind::self) return true;
    const std::lock_guard guard(state_->mutex);
    detail::worker::require_open(*state_);
    detail::worker::require_maker(*state_, "ask about");
    if (state_->phase < ProcessState::Phase::started) return false;
    if (state_->kind == ProcessState::Kind::parent)
        return !detail::platform::process_has_ended(state_->process->get());
    return !detail::worker::poll_locked(*state_);
}

std::string BaseProcess::name() const {
    const std::lock_guard guard(state_->mutex);
    return state_->name;
}

void BaseProcess::set_name(const std::string& name) const {
    const std::lock_guard guard(state_->mutex);
    state_->name = name;
    if (state_->kind == ProcessState::Kind::self) detail::worker::identity().name = name;
}

bool BaseProcess::daemon() const {
    const std::lock_guard guard(state_->mutex);
    return state_->daemon;
}

void BaseProcess::set_daemon(bool daemon) const {
    const std::lock_guard guard(state_->mutex);
    detail::worker::require_open(*state_);
    if (state_->phase != ProcessState::Phase::initial) {
        throw UsageError(
            "cannot change the daemon flag of " + state_->name +
            ": it was started already; say {.daemon = …} where it is made, or set it before start()");
    }
    state_->daemon = daemon;
}

int BaseProcess::pid() const {
    if (state_->kind == ProcessState::Kind::self) return detail::platform::process_id();
    const std::lock_guard guard(state_->mutex);
    detail::worker::require_open(*state_);
    return state_->pid;
}

std::optional<int> BaseProcess::exitcode() const {
    if (state_->kind == ProcessState::Kind::self) return std::nullopt;
    const std::lock_guard guard(state_->mutex);
    detail::worker::require_open(*state_);
    if (state_->phase < ProcessState::Phase::started) return std::nullopt;
    detail::worker::require_maker(*state_, "ask about");
    detail::worker::poll_locked(*state_);
    return state_->exitcode;
}

int BaseProcess::sentinel() const {
    const std::lock_guard guard(state_->mutex);
    if (state_->kind == ProcessState::Kind::self) throw UsageError("the current process has no sentinel");
    detail::worker::require_started(*state_, "get the sentinel of");
    return state_->process->get();
}

void BaseProcess::terminate() const { detail::worker::send_signal(detail::Access::state(*this), SIGTERM); }
void BaseProcess::kill() const { detail::worker::send_signal(detail::Access::state(*this), SIGKILL); }
void BaseProcess::interrupt() const { detail::worker::send_signal(detail::Access::state(*this), SIGINT); }

void BaseProcess::close() const {
    const std::lock_guard guard(state_->mutex);
    detail::worker::require_child(*state_, "close");
    if (state_->phase == ProcessState::Phase::started && !detail::worker::poll_locked(*state_)) {
        throw UsageError("cannot close " + state_->name + " while it runs: join() or terminate() it first");
    }
    state_->phase = ProcessState::Phase::closed;
    state_->process.reset();
    state_->call.reset();
}

const std::vector<unsigned char>& BaseProcess::authkey() const {
    return detail::worker::authkey();  // one for the whole program
}

std::ostream& operator<<(std::ostream& out, const BaseProcess& process) {
    auto& state = *process.state_;
    const std::lock_guard guard(state.mutex);
    using Kind = ProcessState::Kind;
    out << '<' << state.type_name << " name='" << state.name << '\'';
    if (state.pid != 0 && state.phase != ProcessState::Phase::closed) out << " pid=" << state.pid;
    out << " parent=";
    if (state.maker_pid == 0) {
        out << "None";
    } else {
        out << state.maker_pid;
    }
    if (state.phase == ProcessState::Phase::closed) {
        out << " closed";
    } else if (state.kind == Kind::self) {
        out << " started";
    } else if (state.kind == Kind::parent || state.maker_pid != detail::platform::process_id()) {
        out << " unknown";
    } else if (state.phase < ProcessState::Phase::started) {
        out << " initial";
    } else {
        detail::worker::poll_locked(state);
        const bool has_ended = state.phase == ProcessState::Phase::stopped;
        out << (has_ended ? " stopped" : " started");
        if (has_ended && !state.exitcode)
            out << " exitcode=unknown (other code in this program has collected it)";
        if (state.exitcode) {
            out << " exitcode=";
            if (*state.exitcode < 0) {
                out << '-' << detail::platform::signal_name(-*state.exitcode);
            } else {
                out << *state.exitcode;
            }
        }
    }
    if (state.daemon) out << " daemon";
    return out << '>';
}

namespace {

// Made anew in a copy of this process, which is another.
struct Relatives {
    detail::platform::ForkMutex mutex;
    int pid = 0;
    detail::worker::ProcessPointer self;
    detail::worker::ProcessPointer parent;
};

Relatives& relatives() {
    static auto* const instance = new Relatives;
    return *instance;
}
// Before main: a fork while another thread makes it would leave a copy that waits for ever.
[[maybe_unused]] auto& relatives_made = relatives();

detail::worker::ProcessPointer describe_self() {
    const auto& self = detail::worker::identity();
    auto state = std::make_shared<ProcessState>();
    state->kind = ProcessState::Kind::self;
    state->type_name = self.parent_name.empty() ? "_MainProcess" : self.type_name;
    state->name = self.name;
    state->path = self.path;
    state->daemon = self.daemon;
    state->maker_pid = self.parent_pid;
    state->phase = ProcessState::Phase::started;
    return state;
}

detail::worker::ProcessPointer describe_parent() {
    const auto& self = detail::worker::identity();
    if (self.parent_name.empty()) return nullptr;
    auto state = std::make_shared<ProcessState>();
    state->kind = ProcessState::Kind::parent;
    state->type_name = "_ParentProcess";
    state->name = self.parent_name;
    state->pid = self.parent_pid;
    state->phase = ProcessState::Phase::started;
    state->process =
        std::make_shared<detail::platform::FileDescriptor>(detail::platform::open_parent(self.parent_pid));
    return state;
}

}  // namespace

Process current_process() {
    auto& known = relatives();
    const std::lock_guard guard(known.mutex);
    if (known.pid != detail::platform::process_id()) {
        known.self = nullptr;
        known.parent = nullptr;
        known.pid = detail::platform::process_id();
    }
    if (!known.self) known.self = describe_self();
    return detail::Access::make<Process>(known.self);
}

std::optional<Process> parent_process() {
    current_process();
    auto& known = relatives();
    const std::lock_guard guard(known.mutex);
    if (!known.parent) known.parent = describe_parent();
    if (!known.parent) return std::nullopt;
    return detail::Access::make<Process>(known.parent);
}

std::vector<Process> active_children() {
    std::vector<Process> processes;
    for (auto& state : detail::worker::living_children())
        processes.push_back(detail::Access::make<Process>(std::move(state)));
    return processes;
}

int cpu_count() noexcept { return detail::platform::all_cpus(); }
int process_cpu_count() noexcept { return detail::platform::usable_cpus(); }

void set_executable(const std::string& path) { detail::worker::set_image_path(path); }
void stop_forkserver() { detail::worker::stop_fork_server(); }
void set_forkserver_preload(void (*load)()) { detail::worker::preload_in_fork_server(load); }

}  // namespace multiprocessing

int getpid() noexcept { return detail::platform::process_id(); }
int getppid() noexcept { return detail::platform::parent_process_id(); }

}  // namespace chorus::inline v0
