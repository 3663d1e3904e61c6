#include "worker/child_main.hpp"

#include <cstdio>
#include <cstdlib>
#include <iostream>

#include <chorus/detail/message/outcome.hpp>
#include "platform/crash.hpp"
#include "platform/exit_word.hpp"
#include "platform/life_line.hpp"
#include "platform/signal_mask.hpp"
#include "platform/symbols.hpp"
#include "trace/trace.hpp"
#include "worker/lifetime.hpp"
#include "worker/report.hpp"

// Functions that each child passes on its way are marked hot. The linker puts those side by side, wherever
// they stand in the code: in a fork server's copies each 64 KiB of code that is touched has to be fetched
// anew, and that is most of what such a child costs.

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

[[gnu::hot]] int run(message::Call& call, const ChildRequest& birth, int report) {
    try {
        if (report >= 0) return run_and_report(call, report, birth.wants_result, birth.memory_limit);
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

void begin_trace(const ChildRequest& birth) {
    trace::name_process(identity().name, identity().parent_pid);
    trace::name_thread("MainThread");
    trace::begin_span(trace::Kind::run, birth.function.empty() ? identity().name : birth.function);
}

}  // namespace

[[gnu::hot]] void child_main(const ChildRequest& birth, message::Call& call, int report, int life_line) {
    int code = 1;
    if (trace::is_on()) begin_trace(birth);
    try {
        // The life line stays open until the end: closing it would untie the knot.
        if (identity().tied) platform::tie_to(life_line).release();
        platform::set_signal_mask(birth.mask);
        for (auto* const load : birth.preloads) load();
        code = run(call, birth, report);
    } catch (...) {
        tell_of_exception(std::current_exception());
    }
    if (trace::is_on()) trace::end_span({{"exitcode", code}});
    finish();
    std::exit(code);
}

}  // namespace chorus::inline v0::detail::worker
