#include "worker/process_state.hpp"

#include <csignal>
#include <utility>

#include <chorus/errors.hpp>
#include "platform/look.hpp"
#include "platform/process_handle.hpp"
#include "platform/process_id.hpp"
#include "platform/signal_mask.hpp"
#include "platform/signals.hpp"
#include "sync/process_names.hpp"
#include "trace/trace.hpp"
#include "worker/child_request.hpp"
#include "worker/children.hpp"
#include "worker/lifetime.hpp"
#include "worker/report.hpp"
#include "worker/running_time.hpp"
#include "worker/start_child.hpp"

namespace chorus::inline v0::detail::worker {

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

namespace {

// Traces the end of a child that was killed, and cannot do it itself. Requires: state.mutex is held.
void trace_end(const ProcessState& state) {
    if (!state.exitcode) return trace::instant_of(state.pid, trace::Kind::life, "ended");
    const int exitcode = *state.exitcode;
    if (exitcode >= 0)
        return trace::instant_of(state.pid, trace::Kind::life, "ended", {{"exitcode", exitcode}});
    std::string story = "killed by " + platform::signal_name(-exitcode);
    try {
        if (state.report) story = death_of(exitcode, Report(state.report), state.memory_limit).what;
    } catch (const std::exception&) {  // an unreadable report must not fail the poll
    }
    trace::instant_of(state.pid, trace::Kind::life, "died", {{"story", story}});
}

}  // namespace

bool poll_locked(ProcessState& state) {
    if (state.phase != ProcessState::Phase::started) return state.phase == ProcessState::Phase::stopped;
    if (!platform::process_has_ended(state.process->get())) return false;
    remove_child(state.pid, state.process->get());
    if (const auto ended = platform::collect(state.process->get())) {
        state.exitcode = ended->exitcode;
        state.peak_memory = ended->peak_memory;
    } else {
        state.exitcode = state.exit.exitcode(state.pid);  // its exit word, if it has written one
    }
    state.exit = {};
    state.phase = ProcessState::Phase::stopped;
    if (trace::is_on()) trace_end(state);
    return true;
}

namespace {

std::string default_name(const char* type_name, const std::vector<int>& path) {
    std::string name = std::string(type_name) + "-";
    for (std::size_t i = 0; i < path.size(); ++i) name += (i == 0 ? "" : ":") + std::to_string(path[i]);
    return name;
}

// What the child of this state receives. Requires: state.mutex is held.
ChildRequest request_for(const ProcessState& state, StartMethod method) {
    ChildRequest request;
    auto& told = request.identity;
    told.name = state.name;
    told.path = state.path;
    told.daemon = state.daemon;
    told.tied = state.daemon || state.dies_with_parent || identity().tied;
    told.parent_name = identity().name;
    told.parent_pid = platform::process_id();
    told.type_name = state.type_name;
    told.method = state.method.value_or(method);
    told.method_fixed = true;
    told.authkey = authkey();
    request.mask = platform::signal_mask();
    request.memory_limit = state.memory_limit;
    request.wants_result = state.wants_result;
    if (trace::is_on() && state.call) request.function = state.call->function_name();
    return request;
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
    ChildRequest request = request_for(*state, method);
    auto call = std::move(state->call);
    state->phase = ProcessState::Phase::starting;
    begun_here.children = true;
    // Invariant 2: by fork the child is a copy of this moment, and may use its handles.
    lock.unlock();
    try {
        if (!call)
            throw UsageError("cannot start " + request.identity.name +
                             ": its function has been run here already");
        prepare_to_add_child();
        auto process = std::make_shared<platform::FileDescriptor>();
        auto child = start_child(method, std::move(request), *call, state->report.get());
        *process = std::move(child.process);
        lock.lock();
        state->pid = child.pid;
        state->process = std::move(process);
        state->exit = std::move(child.exit);
        state->born = Deadline::Clock::now();
        state->phase = ProcessState::Phase::started;
        add_child(state, state->pid, state->process->get());
        sync::publish_process_name(state->pid, state->name);
        sync::publish_process_name(state->maker_pid, identity().name);
        if (trace::is_on()) trace::instant(trace::Kind::life, "start " + state->name, {{"pid", state->pid}});
    } catch (...) {
        if (!lock.owns_lock()) lock.lock();
        if (state->phase == ProcessState::Phase::started) {
            // The child runs already, and must not run twice: it is killed. This was its only start.
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

// Waking a thread takes about as long as a short-lived child runs. Therefore a join soon after the
// start polls for that long before it sleeps.
constexpr auto childhood = std::chrono::microseconds(300);

bool ends_young(int process, Deadline::Clock::time_point born) {
    platform::Look look(born + childhood - Deadline::Clock::now());
    do {
        if (platform::process_has_ended(process)) return true;
    } while (look.again());
    return false;
}

// `wait_for_end` waits for the handle that it receives. Returns false if it does.
template <class Wait>
bool join_by(const ProcessPointer& state, bool without_limit, Wait wait_for_end) {
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
    const bool ended = without_limit && ends_young(process->get(), born);
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

}  // namespace chorus::inline v0::detail::worker
