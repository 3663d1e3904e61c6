#include "pool/task_failure.hpp"

#include <utility>

#include "worker/running_time.hpp"

namespace chorus::inline v0::detail::pool {
namespace {

// "task 7 (parse)". The call is not needed any more.
std::string name_and_drop(Task& task) {
    const std::string function = task.function_name();
    task.drop_call();
    return "task " + std::to_string(task.number) + (function.empty() ? "" : " (" + function + ")");
}

TaskPosition position_of(const Task& task) noexcept { return {.task = task.number, .item = task.item}; }

}  // namespace

std::exception_ptr late_error(Task& task, Deadline TaskOptions::*limit) {
    const Deadline& time = task.options.*limit;
    return std::make_exception_ptr(
        TimedOut(name_and_drop(task) +
                     (limit == &TaskOptions::timeout
                          ? " took longer than " + worker::limit_in_words("timeout", time, "%g")
                          : " used more CPU time than " + worker::limit_in_words("cpu_time", time, "%g")) +
                     ", and its worker was ended",
                 position_of(task)));
}

std::exception_ptr death_error(Task& task, const worker::Death& death, std::size_t memory,
                               std::string last_lines) {
    WorkerDied::Circumstances circumstances;
    circumstances.task = task.number;
    circumstances.item = task.item;
    circumstances.memory = memory;
    circumstances.last_lines = std::move(last_lines);
    std::string what = name_and_drop(task) + ": its worker " +
                       (death.exitcode && *death.exitcode < 0 ? "was " : "") + death.what;
    if (const int attempt = task.deaths + task.late; attempt > 1)
        what += ", in attempt " + std::to_string(attempt);
    if (memory != 0)
        what += "; it had at most " + std::to_string((memory + 0xfffff) >> 20) + " MiB in memory";
    if (!circumstances.last_lines.empty())
        what += "\nthe last lines of its standard error:\n" + circumstances.last_lines;
    return std::make_exception_ptr(WorkerDied(what, death.exitcode, death.stack, std::move(circumstances)));
}

std::exception_ptr with_position(std::exception_ptr thrown, const Task& task) {
    try {
        std::rethrow_exception(thrown);
    } catch (const OutOfMemory& error) {
        if (error.task() != 0) return thrown;  // of a pool in the worker
        return std::make_exception_ptr(OutOfMemory(error.what(), position_of(task)));
    } catch (...) {
        return thrown;
    }
}

void fail(Task& task, std::exception_ptr error) {
    task.drop_call();
    task.future().set_error(std::move(error));
}

}  // namespace chorus::inline v0::detail::pool
