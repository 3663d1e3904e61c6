#include "pool/worker_deaths.hpp"

#include <exception>
#include <utility>

#include "pool/task_failure.hpp"

namespace chorus::inline v0::detail::pool {
namespace {

std::optional<int> collect(const worker::ProcessPointer& process) {
    worker::poll(*process);
    const std::lock_guard guard(process->mutex);
    return process->exitcode;
}

}  // namespace

void WorkerDeaths::handle(std::uint32_t number) {
    worker::ProcessPointer process;
    {
        const std::lock_guard guard(state_.mutex);
        const WorkerEntry* const entry = state_.workers.find(number);
        if (entry == nullptr) return;
        process = entry->process;
    }
    DeathFacts facts;
    facts.exitcode = collect(process);
    WorkerEntry entry;
    bool crashed = false;
    {
        const std::lock_guard guard(state_.mutex);
        auto dead = state_.workers.take_out_dead(number);
        if (!dead) return;
        entry = std::move(*dead);
        facts.doing = entry.status->doing;
        facts.is_killed = entry.is_killed;
        crashed = has_crashed(facts);
        // Set before the bell is rung: the worker that replaces this one must get new channels.
        if (crashed) {
            state_.has_crashed = state_.has_crashed || entry.channels == channels_.current();
            state_.to_search.push_back(entry.channels);
        }
    }
    const Finally handled([this] {
        {
            const std::lock_guard guard(state_.mutex);
            state_.workers.death_is_handled();
        }
        state_.bell.ring();  // it may be over now
    });
    state_.bell.ring();  // for a worker in its place
    if (entry.standard_error)
        entry.standard_error->catch_up();  // what it wrote is relayed before its death has any effect
    if (!entry.is_ready) return handle_unready(entry, facts.exitcode);
    if (facts.exitcode == 0 && channel::is_shut_down(*entry.channels->tasks))
        channels_.lose_tasks(entry.channels);
    const auto id = WorkerStatus::task_of(facts.doing);
    if (id == 0 || (crashed && !can_have_had(entry, id))) return;
    complete_facts(entry, facts);
    const auto decision = task_after(facts);
    switch (decision) {
        case TaskAfterDeath::unaffected: return;
        case TaskAfterDeath::exceeded_timeout: return fail_late(id, &TaskOptions::timeout);
        case TaskAfterDeath::exceeded_cpu_time: return fail_late(id, &TaskOptions::cpu_time);
        case TaskAfterDeath::not_begun:
            // Another worker may have taken it and be done with it already: then its answer is in the
            // queue before this message.
            return channels_.post(entry.channels, {id, number, AnswerHeader::look_again});
        case TaskAfterDeath::died:
        case TaskAfterDeath::ended_for_stray_status:
        case TaskAfterDeath::ended_while_stopped: break;
    }
    auto death = cause(entry, facts.exitcode);
    if (decision == TaskAfterDeath::ended_for_stray_status)
        death.what = "ended: its note of what it does was written over, by a stray write of a task";
    if (decision == TaskAfterDeath::ended_while_stopped)
        death.what = "stopped (SIGSTOP) while it held up others, and killed for it";
    fail_dead(id, death, entry);
}

// A few may be killed from outside of the program; so many, one after the other, mean that none will
// ever be ready.
void WorkerDeaths::handle_unready(const WorkerEntry& entry, std::optional<int> exitcode) {
    int times = 0;
    {
        const std::lock_guard guard(state_.mutex);
        times = state_.workers.count_unready_death();
        state_.deadlines.remove(Deadlines::start_of_worker | entry.number);
        if (state_.is_done()) return;
    }
    if (times < most_unready_deaths(exitcode, entry.is_late)) return;
    const auto died = cause(entry, exitcode);
    state_.break_down(std::to_string(times) +
                      " workers of the pool, one after the other, died before they were ready" +
                      (state_.options.initializer ? ", in its initializer" : "") + ": " + died.what +
                      (died.stack.empty() ? "" : "\n" + died.stack));
}

worker::Death WorkerDeaths::cause(const WorkerEntry& entry, std::optional<int> exitcode) const {
    auto died = worker::death_of(exitcode, worker::Report(entry.process->report), state_.options.memory);
    if (entry.is_late)
        died.what =
            "not ready within " +
            worker::limit_in_words(".timeout", state_.options.timeout, "%g").replace(0, 3, "the pool's") +
            ", and ended for it";
    return died;
}

// Whether a worker that has crashed can have had this task. If its status names a task that another
// worker has, or that is still in the queue, CrashRecovery::search_for_lost() finds the worker's own
// one.
bool WorkerDeaths::can_have_had(const WorkerEntry& entry, std::uint64_t id) {
    TaskPointer task;
    {
        const std::lock_guard guard(state_.mutex);
        task = state_.ledger.find(id);
        if (!task) return true;  // done or cancelled: nothing will happen to it
        if (state_.workers.names(id)) return false;
        if (!task->is_placed) return true;
        if (task->generation != entry.channels->generation) return false;
    }
    if (!sender_.take_back(*task, id)) return true;
    run_elsewhere(id);  // it was in the queue
    return false;
}

void WorkerDeaths::complete_facts(const WorkerEntry& entry, DeathFacts& facts) const {
    const auto id = WorkerStatus::task_of(facts.doing);
    const std::uint32_t item = entry.status->item;
    // The queue before the other workers: one that takes the message names it before.
    facts.is_queued = static_cast<std::int32_t>(channel::taken_from(*entry.channels->tasks) - item) < 0;
    const std::lock_guard guard(state_.mutex);
    // A worker that noted the message and died before it noted the task had not taken it: its death
    // says nothing of this task.
    facts.is_at_other_worker = state_.workers.names(id, item);
    if (const auto task = state_.ledger.find(id)) {
        facts.has_timeout = !task->options.timeout.is_never();
        facts.has_cpu_time = !task->options.cpu_time.is_never();
    }
}

void WorkerDeaths::run_elsewhere(std::uint64_t id) {
    TaskPointer task;
    {
        const std::lock_guard guard(state_.mutex);
        task = state_.ledger.find(id);
        if (task) state_.renew(*task);
    }
    if (task) sender_.give_out_again(task);
}

// Returns null if there is another attempt, or if the task is done already; else it is out of the
// ledger.
TaskPointer WorkerDeaths::attempt_failed(std::uint64_t id, Failure failure) {
    TaskPointer task;
    {
        const std::lock_guard guard(state_.mutex);
        task = state_.ledger.find(id);
        if (!task) return nullptr;
        state_.deadlines.remove(id);
        if (count_failure(*task, failure, state_.broken.has_value()) == NextStep::fail)
            return state_.remove(id);
        state_.renew(*task);
    }
    sender_.give_out_again(task);
    return nullptr;
}

void WorkerDeaths::fail_late(std::uint64_t id, Deadline TaskOptions::*limit) {
    if (const auto task = attempt_failed(id, Failure::exceeded_limit))
        task->future().set_error(late_error(*task, limit));
}

void WorkerDeaths::fail_dead(std::uint64_t id, const worker::Death& death, const WorkerEntry& entry) {
    const auto task = attempt_failed(id, Failure::died);
    if (!task) return;
    auto last_lines =
        entry.standard_error ? entry.standard_error->lines(state_.options.last_lines) : std::string();
    task->future().set_error(death_error(*task, death, entry.process->peak_memory, std::move(last_lines)));
}

}  // namespace chorus::inline v0::detail::pool
