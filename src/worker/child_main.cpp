#include "worker/child_main.hpp"

#include <cstdio>
#include <cstdlib>
#include <iostream>

#include <chorus/detail/message/outcome.hpp>
#include "platform/crash.hpp"
#include "platform/exit_word.hpp"
#include "platform/file_descriptor.hpp"
#include "platform/life_line.hpp"
#include "platform/os_thread.hpp"
#include "platform/process_exit.hpp"
#include "platform/signal_mask.hpp"
#include "platform/symbols.hpp"
#include "sync/shared_runtime.hpp"
#include "trace/trace.hpp"
#include "worker/fork_server.hpp"
#include "worker/lifetime.hpp"
#include "worker/reexec.hpp"
#include "worker/report.hpp"
#include "worker/start_spawn.hpp"

// Functions that each child runs are marked hot. The linker puts those side by side, wherever they
// stand in the code: in a fork server's copies each touched 64 KiB of code has to be fetched anew, and
// that is most of what such a child costs.

namespace chorus::inline v0::detail::worker {
namespace {

void tell_on_stderr(const std::string& text) {
    std::cout.flush();
    std::fflush(stdout);
    std::cerr.flush();
    platform::write_all(2, text.data(), text.size());
}

void tell_of_exception(std::exception_ptr thrown) {
    const auto described = message::describe(thrown);
    const auto stack = platform::symbolize(platform::stack_of_last_throw());
    tell_on_stderr("Process " + identity().name + ":\n" + stack.text + (stack.text.empty() ? "" : "\n") +
                   described.type + ": " + described.message + "\n");
}

[[gnu::hot]] void invoke(void* call) { static_cast<message::Call*>(call)->invoke(nullptr); }

[[gnu::hot]] int run(message::Call& call, const ChildRequest& request, int report) {
    try {
        if (report >= 0) return run_and_report(call, report, request.wants_result, request.memory_limit);
        if (platform::tells_end()) platform::tell_crashes();
        platform::watch_exceptions(invoke, &call);
    } catch (const SystemExit& exit) {
        if (exit.message()) tell_on_stderr(*exit.message() + "\n");
        return exit.code();
    } catch (...) {
        tell_of_exception(std::current_exception());
        return 1;
    }
    return 0;
}

void begin_trace(const ChildRequest& request) {
    trace::name_process(identity().name, identity().parent_pid);
    trace::name_thread("MainThread");
    trace::begin_span(trace::Kind::run, request.function.empty() ? identity().name : request.function);
}

}  // namespace

[[gnu::hot]] std::unique_ptr<ChildSetup> setup_of_executed_image(const char* program, int& life_line) {
    std::optional<Inheritance> inheritance;
    try {
        inheritance = take_inheritance();
        if (!inheritance) return nullptr;
        platform::name_this_thread_after_program(program);
        sync::take_shared_runtime(std::move(inheritance->shared_runtime));
        platform::prepare_to_record_crashes();
        auto child = inheritance->role == Role::spawned_child ? become_spawned_child(*inheritance)
                                                              : become_fork_server(*inheritance);
        life_line = inheritance->life_line.release();
        return child;
    } catch (const std::exception& error) {
        if (inheritance && inheritance->role != Role::spawned_child && inheritance->first) {
            tell_what_prevents_it(inheritance->first.get());
            platform::leave_at_once(1);
        }
        std::fprintf(stderr, "chorus: this process cannot become what it was executed for: %s\n",
                     error.what());
        platform::leave_at_once(1);
    }
}

[[gnu::hot]] void child_main(const ChildRequest& request, message::Call& call, int report, int life_line) {
    int code = 1;
    if (trace::is_on()) begin_trace(request);
    try {
        // The life line stays open until the end: closing it would untie this process.
        if (identity().tied) platform::tie_to(life_line).release();
        platform::set_signal_mask(request.mask);
        for (auto* const load : request.preloads) load();
        code = run(call, request, report);
    } catch (...) {
        tell_of_exception(std::current_exception());
    }
    if (trace::is_on()) trace::end_span({{"exitcode", code}});
    finish();
    std::exit(code);
}

}  // namespace chorus::inline v0::detail::worker
