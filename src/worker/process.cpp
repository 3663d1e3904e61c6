#include <chorus/process.hpp>

#include <csignal>
#include <mutex>

#include <chorus/errors.hpp>
#include "platform/cpus.hpp"
#include "platform/fork_mutex.hpp"
#include "platform/process_handle.hpp"
#include "platform/process_id.hpp"
#include "platform/signals.hpp"
#include "worker/children.hpp"
#include "worker/identity.hpp"
#include "worker/process_state.hpp"
#include "worker/reexec.hpp"
#include "worker/start_forkserver.hpp"

namespace chorus::inline v0 {
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

// What this process knows of itself and its parent. A copy of this process makes both anew.
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
// Before main: a fork while another thread makes it would leave a copy that waits indefinitely.
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
