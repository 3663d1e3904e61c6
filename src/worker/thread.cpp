#include <chorus/thread.hpp>

#include <algorithm>
#include <cstdio>
#include <iostream>

#include <chorus/detail/message/outcome.hpp>
#include "platform/crash.hpp"
#include "platform/file_descriptor.hpp"
#include "platform/fork_mutex.hpp"
#include "platform/futex.hpp"
#include "platform/os_thread.hpp"
#include "platform/process_id.hpp"
#include "platform/symbols.hpp"
#include "trace/trace.hpp"
#include "worker/lifetime.hpp"
#include "worker/threads.hpp"

namespace chorus::inline v0 {
namespace detail::worker {
namespace {

using StatePointer = std::shared_ptr<ThreadState>;

struct Registry {
    platform::ForkMutex mutex;
    std::list<StatePointer> alive;
    StatePointer main;
    std::atomic<int> threads_made{0};
    std::atomic<int> foreign_met{0};
    std::atomic<std::size_t> stack_size{0};
};

// Never destroyed: threads may end while statics are.
Registry& registry() {
    static auto* const instance = new Registry;
    return *instance;
}
// Before main: a fork while another thread makes it would leave a copy that waits indefinitely.
[[maybe_unused]] auto& registry_made = registry();

thread_local ThreadState* current = nullptr;

}  // namespace

std::string name_of_made_thread() {
    return current != nullptr && current->kind == ThreadState::Kind::made ? current->full_name() : "";
}

namespace {

StatePointer find_alive(const ThreadState* wanted) {
    const std::lock_guard guard(registry().mutex);
    for (const auto& state : registry().alive) {
        if (state.get() == wanted) return state;
    }
    return nullptr;
}

void add(const StatePointer& state) {
    const std::lock_guard guard(registry().mutex);
    registry().alive.push_back(state);
}

void remove(const ThreadState* state) {
    const std::lock_guard guard(registry().mutex);
    registry().alive.remove_if([=](const StatePointer& each) { return each.get() == state; });
}

void settle(ThreadState& state) {
    state.ident.store(platform::this_thread());
    const auto before = state.native_id.exchange(static_cast<std::uint32_t>(platform::thread_id()));
    if (before == ThreadState::wanted) platform::futex_wake_all(state.native_id);
    current = &state;
}

// The calling thread's values of threading::local, destroyed after all its thread_locals.
thread_local void* local_table = nullptr;
thread_local void (*destroy_local_table)(void*) = nullptr;

StatePointer make_main() {
    auto state = std::make_shared<ThreadState>();
    state->kind = ThreadState::Kind::main;
    state->type_name = "_MainThread";
    state->name = "MainThread";
    state->phase.store(ThreadState::started);
    return state;
}

StatePointer main_state() {
    const std::lock_guard guard(registry().mutex);
    if (!registry().main) {
        registry().main = make_main();
        registry().alive.push_front(registry().main);
    }
    return registry().main;
}

// The last step of a thread: after this its state is used only through handles.
void thread_has_ended(void* raw) {
    const platform::NotHalted whole;
    const std::unique_ptr<StatePointer> state(static_cast<StatePointer*>(raw));
    if (local_table != nullptr) destroy_local_table(std::exchange(local_table, nullptr));
    remove(state->get());
    current = nullptr;
    (*state)->end();
}

StatePointer meet_foreign_thread() {
    auto state = std::make_shared<ThreadState>();
    state->kind = ThreadState::Kind::foreign;
    state->type_name = "_DummyThread";
    state->name = "Dummy-" + std::to_string(registry().foreign_met.fetch_add(1) + 1);
    state->daemon = true;
    state->phase.store(ThreadState::started);
    settle(*state);
    begun_here.threads = true;
    add(state);
    platform::at_thread_end(thread_has_ended, new StatePointer(state));
    return state;
}

void report_to_hook(const StatePointer& state, std::exception_ptr thrown) {
    threading::ExceptHookArgs args;
    args.exc_type = message::describe(thrown).type;
    args.exc_value = thrown;
    args.exc_traceback = platform::symbolize(platform::stack_of_last_throw()).text;
    args.thread = Access::make<threading::Thread>(state);
    threading::excepthook(args);
}

void begin_trace(const ThreadState& state, const message::Call& call, trace::Span& run) {
    trace::name_thread(state.full_name());
    const std::string function = call.function_name();
    run.begin(trace::Kind::run, function.empty() ? state.full_name() : function);
}

void run_call(const StatePointer& state) {
    std::unique_ptr<message::Call> call;
    {
        const std::lock_guard guard(state->mutex);
        call = std::move(state->call);
    }
    trace::Span run;
    if (trace::is_on()) begin_trace(*state, *call, run);
    try {
        platform::watch_exceptions(
            [](void* context) { static_cast<message::Call*>(context)->invoke(nullptr); }, call.get());
    } catch (const SystemExit&) {  // ends the thread and is no error, as in Python
    } catch (const std::exception&) {
        report_to_hook(state, std::current_exception());
    } catch (...) {
        const auto thrown = std::current_exception();
        if (!thrown) throw;  // pthread_exit or cancellation, which must go on
        report_to_hook(state, thrown);
    }
}

// Settles the name too, which depends on the call.
bool has_call(const ThreadState& state) {
    state.full_name();
    const std::lock_guard guard(state.mutex);
    return state.call != nullptr;
}

void* thread_main(void* raw) {
    auto* const owned = static_cast<StatePointer*>(raw);
    {
        const platform::NotHalted whole;
        ThreadState& state = **owned;
        settle(state);
        platform::at_thread_end(thread_has_ended, owned);
        platform::name_this_thread(
            state.full_name().c_str());  // settled by start(): nothing is looked up on this stack
    }
    run_call(*owned);
    return nullptr;
}

}  // namespace

std::string ThreadState::full_name() const {
    const std::lock_guard guard(mutex);
    if (!name) {
        std::string made = "Thread-" + std::to_string(number);
        const std::string function = call ? call->function_name() : "";
        name = function.empty() ? made : made + " (" + function + ")";
    }
    return *name;
}

void* table_of_locals() noexcept { return local_table; }

void keep_table_of_locals(void* table, void (*destroy)(void*)) {
    threading::current_thread();  // registers the hook of this thread's end
    local_table = table;
    destroy_local_table = destroy;
}

// Either the ending thread sees `awaited`, or the waiter sees `stopped`: each side sets its word before
// it reads the other's.
void ThreadState::end() noexcept {
    phase.store(stopped);
    if (awaited.load()) platform::futex_wake_all(phase);
}

bool ThreadState::wait_ended(Deadline deadline) {
    awaited.store(true);
    trace::Wait wait("Thread.join");
    while (phase.load() == started) {
        wait.begins();
        if (!platform::futex_wait(phase, started, deadline)) return phase.load() != started;
    }
    return true;
}

int ThreadState::wait_native_id() {
    std::uint32_t known = 0;
    native_id.compare_exchange_strong(known, wanted);
    while ((known = native_id.load()) == wanted) platform::futex_wait(native_id, wanted);
    return static_cast<int>(known);
}

StatePointer make_thread_state(threading::ThreadOptions options, std::unique_ptr<message::Call> call,
                               const char* type_name) {
    auto state = std::make_shared<ThreadState>();
    state->type_name = type_name;
    state->call = std::move(call);
    if (options.name.empty()) {
        state->number = registry().threads_made.fetch_add(1) + 1;
    } else {
        state->name = std::move(options.name);
    }
    const bool inherited = current != nullptr && current->kind == ThreadState::Kind::made && current->daemon;
    state->daemon = options.daemon.value_or(inherited);
    return state;
}

bool join_threads() {
    bool waited = false;
    for (;;) {
        StatePointer next;
        {
            const std::lock_guard guard(registry().mutex);
            for (const auto& state : registry().alive) {
                if (state->kind == ThreadState::Kind::made && !state->daemon && state.get() != current) {
                    next = state;
                    break;
                }
            }
        }
        if (!next) return waited;
        next->wait_ended({});
        waited = true;
    }
}

void main_thread_has_ended() { main_state()->end(); }

void current_thread_will_leave() {
    if (current == nullptr) return;
    current->end();
    remove(current);
}

bool halt_daemon_threads() {
    std::vector<StatePointer> daemons;
    std::vector<int> ids;
    {
        const std::lock_guard guard(registry().mutex);
        for (const auto& state : registry().alive) {
            if (state->kind == ThreadState::Kind::made && state.get() != current) daemons.push_back(state);
        }
    }
    for (const auto& state : daemons) {
        ids.push_back(state->wait_native_id());
        state->halted = true;
    }
    return platform::halt_threads(ids);
}

void forget_other_threads() {
    auto& here = registry();
    const std::lock_guard guard(here.mutex);
    if (here.alive.size() == 1 && here.alive.front().get() == current && current == here.main.get())
        return;  // as nearly always
    StatePointer self;
    for (const auto& state : here.alive) {
        if (state.get() == current) {
            self = state;
        } else {
            state->phase.store(ThreadState::stopped);
        }
    }
    here.main = self ? self : make_main();
    here.main->kind = ThreadState::Kind::main;
    here.main->type_name = "_MainThread";
    here.main->daemon = false;
    here.alive.assign(1, here.main);
    settle(*here.main);
}

void adopt_main_thread() { settle(*main_state()); }

}  // namespace detail::worker

namespace threading {

using detail::worker::registry;
using detail::worker::ThreadState;

void BaseThread::start() const {
    if (detail::worker::is_ending()) {
        detail::worker::stay_if_another_leaves();
        throw UsageError("cannot start " + name() + ": the program is ending");
    }
    std::uint32_t before = ThreadState::initial;
    if (state_->kind != ThreadState::Kind::made ||
        !state_->phase.compare_exchange_strong(before, ThreadState::started)) {
        throw UsageError("threads can only be started once: " + name() +
                         " was started already; make a new Thread");
    }
    if (!detail::worker::has_call(*state_)) {
        state_->phase = ThreadState::initial;
        throw UsageError("cannot start " + name() + ": its function has been run already by run()");
    }
    detail::worker::begun_here.threads = true;
    detail::worker::add(state_.shared());
    auto* const owned = new std::shared_ptr<ThreadState>(state_.shared());
    try {
        if (detail::trace::is_on()) detail::trace::instant(detail::trace::Kind::life, "start " + name());
        const auto ident =
            detail::platform::start_thread(detail::worker::thread_main, owned, registry().stack_size);
        std::uintptr_t none = 0;
        state_->ident.compare_exchange_strong(none, ident);
    } catch (...) {
        delete owned;
        detail::worker::remove(state_.shared().get());
        state_->phase.store(ThreadState::initial);
        throw;
    }
}

bool BaseThread::join(Deadline deadline) const {
    if (state_->kind == ThreadState::Kind::foreign)
        throw UsageError("cannot join " + name() + ": it was not made by Chorus");
    if (state_->phase == ThreadState::initial)
        throw UsageError("cannot join " + name() + " before it is started: call start() first");
    if (state_.shared().get() == detail::worker::current)
        throw UsageError("cannot join the current thread: it would wait for itself");
    if (state_->halted && is_alive())
        throw UsageError("cannot join daemon " + name() + ": the program is ending and it was halted");
    return state_->wait_ended(deadline);
}

void BaseThread::run() const {
    std::unique_ptr<detail::message::Call> call;
    detail::worker::has_call(*state_);
    {
        const std::lock_guard guard(state_->mutex);
        call = std::move(state_->call);
    }
    if (!call) throw UsageError("cannot run " + name() + ": its function has been run already");
    call->invoke(nullptr);
}

bool BaseThread::is_alive() const {
    return state_->phase.load(std::memory_order_acquire) == ThreadState::started;
}

std::string BaseThread::name() const { return state_->full_name(); }

void BaseThread::set_name(const std::string& name) const {
    {
        const std::lock_guard guard(state_->mutex);
        state_->name = name;
    }
    if (state_.shared().get() == detail::worker::current && state_->kind != ThreadState::Kind::main)
        detail::platform::name_this_thread(name.c_str());
}

bool BaseThread::daemon() const { return state_->daemon; }

void BaseThread::set_daemon(bool daemon) const {
    if (state_->phase != ThreadState::initial)
        throw UsageError(
            "cannot change the daemon flag of " + name() +
            ": it was started already; say {.daemon = …} where it is made, or set it before start()");
    state_->daemon = daemon;
}

std::uintptr_t BaseThread::ident() const { return state_->ident.load(); }

int BaseThread::native_id() const {
    if (state_->phase == ThreadState::initial) return 0;
    if (state_->kind == ThreadState::Kind::main)
        return detail::platform::process_id();  // also in a copy of the process
    return state_->wait_native_id();
}

std::ostream& operator<<(std::ostream& out, const BaseThread& thread) {
    constexpr const char* phases[] = {"initial", "started", "stopped"};
    out << '<' << thread.state_->type_name << '(' << thread.name() << ", "
        << phases[thread.state_->phase.load()];
    if (thread.daemon()) out << " daemon";
    if (thread.ident() != 0) out << ' ' << thread.ident();
    return out << ")>";
}

Thread current_thread() {
    if (detail::worker::current == nullptr) {
        const auto main = detail::worker::main_state();
        if (detail::platform::thread_id() != detail::platform::process_id())
            return detail::Access::make<Thread>(detail::worker::meet_foreign_thread());
        detail::worker::settle(*main);
    }
    return detail::Access::make<Thread>(detail::worker::find_alive(detail::worker::current));
}

Thread main_thread() { return detail::Access::make<Thread>(detail::worker::main_state()); }

std::vector<Thread> enumerate() {
    detail::worker::main_state();
    const std::lock_guard guard(registry().mutex);
    std::vector<Thread> threads;
    for (const auto& state : registry().alive) {
        if (state->phase == ThreadState::started) threads.push_back(detail::Access::make<Thread>(state));
    }
    return threads;
}

std::size_t active_count() { return enumerate().size(); }

std::uintptr_t get_ident() noexcept { return detail::platform::this_thread(); }
int get_native_id() noexcept { return detail::platform::thread_id(); }

std::size_t stack_size(std::size_t bytes) {
    if (bytes != 0 && bytes < detail::platform::smallest_stack()) {
        throw UsageError("a stack of " + std::to_string(bytes) + " bytes is too small: the smallest is " +
                         std::to_string(detail::platform::smallest_stack()));
    }
    return registry().stack_size.exchange(bytes);
}
std::size_t stack_size() noexcept { return registry().stack_size; }

void interrupt_main(int signal) {
    if (signal < 1 || signal > 64) throw UsageError("there is no signal " + std::to_string(signal));
    detail::platform::signal_main_thread(signal);
}

// ---- excepthook -------------------------------------------------------------------------------
namespace {

struct Hook {
    detail::platform::ForkMutex mutex;
    ExceptHook function;
};
Hook& hook() {
    static auto* const instance = new Hook;
    return *instance;
}

void write_to_stderr(const std::string& text) {
    std::cerr.flush();
    std::fflush(stderr);
    detail::platform::write_all(2, text.data(), text.size());
}

}  // namespace

void default_excepthook(const ExceptHookArgs& args) {
    const std::string who = args.thread ? args.thread->name() : std::to_string(get_ident());
    std::string type = "NoneType";  // as Python says it where there is no exception
    std::string message = "None";
    if (args.exc_value) {
        auto described = detail::message::describe(args.exc_value);
        type = std::move(described.type);
        message = std::move(described.message);
    }
    write_to_stderr("Exception in thread " + who + ":\n" + args.exc_traceback +
                    (args.exc_traceback.empty() ? "" : "\n") +
                    (args.exc_type.empty() ? type : args.exc_type) + ": " + message + "\n");
}

void excepthook(const ExceptHookArgs& given) {
    ExceptHookArgs args = given;
    if (args.exc_type.empty() && args.exc_value)
        args.exc_type = detail::message::describe(args.exc_value).type;
    ExceptHook function;
    {
        const std::lock_guard guard(hook().mutex);
        function = hook().function;
    }
    if (!function) return default_excepthook(args);
    try {
        function(args);
    } catch (...) {
        const auto failure = detail::message::describe(std::current_exception());
        write_to_stderr("Exception in the excepthook: " + failure.type + ": " + failure.message +
                        "\nwhile it was told of this:\n");
        default_excepthook(args);
    }
}

ExceptHook set_excepthook(ExceptHook function) {
    const std::lock_guard guard(hook().mutex);
    std::swap(hook().function, function);
    return function;
}

}  // namespace threading
}  // namespace chorus::inline v0
