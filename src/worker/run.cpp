#include <chorus/run.hpp>

#include <csignal>

#include "worker/futures.hpp"
#include "worker/process_state.hpp"
#include "worker/report.hpp"
#include "worker/running_time.hpp"

namespace chorus::inline v0::detail::worker {
namespace {

using multiprocessing::CallOptions;

struct Started {
    ProcessPointer process;
    CallOptions options;
};

Started start_call(CallOptions options, std::unique_ptr<message::Call> call) {
    Started started;
    started.process = make_process_state(options.name, false, std::move(call), "Process", std::nullopt);
    started.process->report = make_report();
    started.process->memory_limit = options.memory;
    started.process->wants_result = true;
    started.process->dies_with_parent = true;
    start(started.process);
    started.options = std::move(options);
    return started;
}

std::exception_ptr death(const Started& started, std::optional<int> exitcode, const Report& report) {
    auto death = death_of(exitcode, report, started.options.memory);
    WorkerDied::Circumstances circumstances;
    circumstances.memory = started.process->peak_memory;
    return std::make_exception_ptr(
        WorkerDied(death.what, death.exitcode, std::move(death.stack), std::move(circumstances)));
}

// The outcome of a child that has ended. Takes its value, or returns its error. The error may also be
// that the report could not be read, or that decoding the value threw.
std::exception_ptr conclude(const Started& started, bool timed_out, const TakeValue& take) try {
    poll(*started.process);
    Report report(started.process->report);
    started.process->report.reset();
    if (auto value = report.value()) {
        take(*value);
        return nullptr;
    }
    if (const auto thrown = report.exception()) return thrown;
    if (timed_out) {
        return std::make_exception_ptr(TimedOut("the call took longer than " +
                                                limit_in_words("timeout", started.options.timeout, "%f") +
                                                " and was ended"));
    }
    const std::lock_guard guard(started.process->mutex);
    return death(started, started.process->exitcode, report);
} catch (...) {
    return std::current_exception();
}

}  // namespace

void run_in_child(CallOptions options, std::unique_ptr<message::Call> call, const TakeValue& take) {
    expect_not_negative(options.timeout);
    const auto started = start_call(std::move(options), std::move(call));
    bool timed_out = false;
    if (!started.options.timeout.is_never() && !join_within(started.process, started.options.timeout)) {
        timed_out = true;
        send_signal(started.process, SIGKILL);
    }
    join(started.process, {});
    if (const auto error = conclude(started, timed_out, take)) std::rethrow_exception(error);
}

void run_in_child_later(CallOptions options, std::unique_ptr<message::Call> call,
                        const std::shared_ptr<FutureState>& future, TakeValue take) {
    expect_not_negative(options.timeout);
    prepare_futures();  // first, because its failure leaves nothing to undo
    const auto started = start_call(std::move(options), std::move(call));
    future->set_running();
    future->set_stopper([process = started.process] { send_signal(process, SIGKILL); });
    try {
        when_ended(started.process, started.options.timeout,
                   [started, future, take = std::move(take)](bool timed_out) {
                       if (const auto error = conclude(started, timed_out, take)) future->set_error(error);
                   });
    } catch (...) {  // no thread would receive its end
        send_signal(started.process, SIGKILL);
        join(started.process, {});
        throw;
    }
}

}  // namespace chorus::inline v0::detail::worker
