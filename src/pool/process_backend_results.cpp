#include "pool/process_backend.hpp"

#include <csignal>
#include <exception>
#include <utility>

#include <chorus/detail/message/outcome.hpp>

namespace chorus::inline v0::detail::pool {
namespace {

// Names the calling thread as long as it lives.
const void* this_thread() noexcept {
    static thread_local char here;
    return &here;
}

template <class Function>
struct Finally {
    explicit Finally(Function function) : then(std::move(function)) {}
    ~Finally() { then(); }
    Finally(const Finally&) = delete;
    Finally& operator=(const Finally&) = delete;
    Function then;
};

// "task 7 (parse)". The call is not needed any more.
std::string name_and_drop(Task& task) {
    const std::string function = task.function_name();
    task.drop_call();
    return "task " + std::to_string(task.number) + (function.empty() ? "" : " (" + function + ")");
}

TaskPosition position_of(const Task& task) noexcept { return {.task = task.number, .item = task.item}; }

// A worker does not know which task it was at.
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

}  // namespace

bool ProcessBackend::leads_here() const noexcept { return leader_.load() == this_thread(); }

bool ProcessBackend::lead() noexcept {
    const void* nobody = nullptr;
    return leader_.compare_exchange_strong(nobody, this_thread());
}

void ProcessBackend::stop_leading() {
    leader_waits_ = false;
    const bool something_left = inbox_.has_some();
    leader_ = nullptr;
    const auto channels = this->channels();
    try {
        const bool has_older = hears_generation_ != generation_;
        if (something_left || channel::is_ready_or_will_ring(*channels->answers) || has_older) bell_.ring();
    } catch (const Damaged& damage) {
        lose_channels(channels, damage.what());
    }
}

// Requires: the caller is the leader.
bool ProcessBackend::lead_until(const worker::FutureState& future, Deadline deadline) {
    for (;;) {
        if (!inbox_.has_some())
            leader_waits_ = true;  // before it looks: whoever ends the future afterwards sees this
        if (future.is_done()) return true;
        if (!receive_one(deadline) && deadline.has_passed()) return future.is_done();
    }
}

bool ProcessBackend::wait_for(const worker::FutureState& future, Deadline deadline) {
    if (leads_here())
        return lead_until(future, deadline);  // in a callback: what it waits for can only come through here
    while (!future.is_done()) {
        if (!lead()) return future.sleep_until_done(deadline);
        bool done = false;
        try {
            leave_ringing_to_the_leader();
            done = lead_until(future, deadline);
        } catch (...) {
            stop_leading();
            throw;
        }
        stop_leading();
        if (!done) return false;
    }
    return true;
}

void ProcessBackend::wake_waiting() noexcept {
    if (!leader_waits_.load() || leads_here() || is_a_copy()) return;
    try {
        if (leader_waits_.exchange(false)) say_through(channels(), {0, 0, AnswerHeader::wake_up});
    } catch (const std::exception& error) {  // no memory; who waits looks again when anything comes
        std::fprintf(stderr, "chorus: in a pool: %s\n", error.what());
    }
}

// Requires: the caller is the leader.
void ProcessBackend::open_inbox() {
    heard_ = channels();
    inbox_.open(heard_->answers);
    if (hears_generation_.exchange(heard_->generation) != 0)
        bell_.ring();  // what comes through the older ones is the backend's thread's from now on
}

// Returns false when nothing came in time, or there are other channels now.
bool ProcessBackend::receive_one(Deadline deadline) {
    if (hears_generation_ != generation_) open_inbox();
    try {
        return inbox_.receive(deadline, [this](ReceivedResult& heard) {
            heard_so_far_.fetch_add(1, std::memory_order_relaxed);
            handle(heard);
        });
    } catch (const ShutDown& said) {
        lose_answers(heard_, said);
    } catch (const Damaged& damage) {
        lose_channels(heard_, damage.what());
    }
    return false;
}

void ProcessBackend::handle(ReceivedResult& heard) {
    const auto& header = heard.header;
    switch (header.kind) {
        case AnswerHeader::outcome: return handle_outcome(heard);
        case AnswerHeader::begun: return handle_begun(header);
        case AnswerHeader::not_initialised: {
            message::Reader in(heard.rest);
            const auto failure = message::describe(message::read_exception(in));
            return break_down("the initializer of the pool's workers failed: " + failure.type + ": " +
                              failure.message);
        }
        case AnswerHeader::died: return handle_death(header.worker);
        case AnswerHeader::look_again: return handle_lost(header.id);
        case AnswerHeader::ready: {
            const std::lock_guard guard(mutex_);
            died_unready_ = 0;
            if (WorkerEntry* const member = members_.find(header.worker)) member->is_ready = true;
            not_due(start_of_member | header.worker);
            return;
        }
        case AnswerHeader::lost_with_note: return handle_lost_with_note(header.id);
        case AnswerHeader::generation_over: return handle_generation_over(header.worker);
        case AnswerHeader::wake_up: return;
    }
}

void ProcessBackend::handle_outcome(ReceivedResult& heard) {
    TaskPointer task;
    {
        const std::lock_guard guard(mutex_);
        task = remove(heard.header.id);
        if (task && !task->options.timeout.is_never()) not_due(heard.header.id);
    }
    if (!task) return;  // of an older attempt, or cancelled
    task->bytes += heard.rest.size();
    const auto fail = [&task](std::exception_ptr thrown) {
        task->drop_call();
        task->future().set_error(std::move(thrown));
    };
    try {
        if (heard.error) std::rethrow_exception(heard.error);
        message::Reader in(heard.rest, &heard.attachments);
        message::Reader from_ending = in;
        if (in.read_raw<message::Ending>() == message::Ending::value) {
            task->drop_call();
            task->take_value(in);
        } else {
            fail(with_position(message::read_exception(from_ending), *task));
        }
    } catch (...) {
        fail(std::current_exception());
    }
}

void ProcessBackend::handle_begun(const AnswerHeader& header) {
    const std::lock_guard guard(mutex_);
    const auto task = ledger_.find(header.id);
    if (!task || task->options.timeout.is_never()) return;
    count_as_waiting(*task, false);
    task->future().set_running();
    fall_due(header.id, task->options.timeout);
}

void ProcessBackend::handle_death(std::uint32_t number) {
    worker::ProcessPointer process;
    {
        const std::lock_guard guard(mutex_);
        const WorkerEntry* const member = members_.find(number);
        if (member == nullptr) return;
        process = member->process;
    }
    worker::poll(*process);
    const auto exitcode = [&] {
        const std::lock_guard guard(process->mutex);
        return process->exitcode;
    }();
    WorkerEntry member;
    std::uint64_t doing = 0;
    bool is_stray = false;
    bool crashed = false;
    {
        const std::lock_guard guard(mutex_);
        auto found = members_.take_out(number);
        if (!found) return;
        member = std::move(*found);
        ++deaths_in_hand_;
        doing = member.note->doing;
        // Only the pool writes these steps, right before it kills the worker: else it was a stray write.
        is_stray = !member.is_killed && (WorkerStatus::step_of(doing) == WorkerStatus::doomed ||
                                         WorkerStatus::step_of(doing) == WorkerStatus::recalled);
        crashed = is_stray || (exitcode && platform::may_have_written_anywhere(*exitcode));
        // Set before the bell is rung: the worker that replaces this one must get new channels.
        if (crashed) {
            has_crashed_ = has_crashed_ || member.channels == channels();
            to_search_.push_back(member.channels);
        }
    }
    const Finally in_hand([this] {
        {
            const std::lock_guard guard(mutex_);
            --deaths_in_hand_;
        }
        bell_.ring();  // it may be over now
    });
    bell_.ring();  // for another one in its place
    const worker::Report report(member.process->report);
    const auto death = [&] {
        auto died = worker::death_of(exitcode, report, options_.memory);
        if (member.is_late)
            died.what =
                "not ready within " +
                worker::limit_in_words(".timeout", options_.timeout, "%g").replace(0, 3, "the pool's") +
                ", and ended for it";
        return died;
    };
    if (member.words)
        member.words->catch_up();  // all it has written comes out before the world hears of its end
    if (!member.is_ready) {
        // Some may be killed by somebody; so many, one after the other, mean that none will ever be ready.
        const int enough = exitcode == -SIGKILL && !member.is_late ? 100 : 3;
        int times = 0;
        {
            const std::lock_guard guard(mutex_);
            times = ++died_unready_;
            not_due(start_of_member | number);
            if (closed_ && ledger_.size() == 0) return;
        }
        if (times < enough) return;
        const auto died = death();
        return break_down(std::to_string(times) +
                          " workers of the pool, one after the other, died before they were ready" +
                          (options_.initializer ? ", in its initializer" : "") + ": " + died.what +
                          (died.stack.empty() ? "" : "\n" + died.stack));
    }
    if (exitcode == 0 && channel::is_shut_down(*member.channels->tasks)) lose_tasks(member.channels);
    // Its note is what the worker could write to: after a crash it is believed only where that costs nothing.
    const auto id = WorkerStatus::task_of(doing);
    if (id == 0 || (crashed && !can_have_had(member, id))) return;
    if (is_stray) {
        auto ended = death();
        ended.what = "ended: its note of what it does was written over, by a stray write of a task";
        return fail_dead(id, ended, member);
    }
    const auto noted = WorkerStatus::step_of(doing);
    if (noted == WorkerStatus::doomed) {
        if (has_limit(id, &TaskOptions::timeout)) return fail_late(id, &TaskOptions::timeout);
        auto stopped = death();
        stopped.what = "stopped by somebody while it held up others, and killed for it";
        return fail_dead(id, stopped, member);
    }
    if (noted != WorkerStatus::taking && noted != WorkerStatus::recalled) {
        const bool late =
            exitcode && platform::is_cpu_time_signal(*exitcode) && has_limit(id, &TaskOptions::cpu_time);
        return late ? fail_late(id, &TaskOptions::cpu_time) : fail_dead(id, death(), member);
    }
    const std::uint32_t item = member.note->item;
    if (static_cast<std::int32_t>(channel::taken_from(*member.channels->tasks) - item) < 0)
        return;  // it is still in the queue
    {
        // One that noted the message and died before it noted the task had not taken it: its death will not
        // tell of this task.
        const std::lock_guard guard(mutex_);
        if (members_.are_at(id, item)) return;
    }
    if (crashed) return fail_dead(id, death(), member);  // it may have begun it, and must not do it twice
    // Another may have taken it and be done with it already: then its answer is in the queue before what is
    // said now.
    say_through(member.channels, {id, number, AnswerHeader::look_again});
}

// Whether a worker that has crashed can have had this task. If its note names a task that another worker has,
// or that is still in the queue, search_for_lost() finds the worker's own one.
bool ProcessBackend::can_have_had(const WorkerEntry& member, std::uint64_t id) {
    TaskPointer task;
    {
        const std::lock_guard guard(mutex_);
        task = ledger_.find(id);
        if (!task) return true;  // done or cancelled: nothing will happen to it
        if (members_.note(id)) return false;
        if (!task->is_placed) return true;
        if (task->generation != member.channels->generation) return false;
    }
    if (!take_back(*task, id)) return true;
    handle_lost(id);  // it was in the queue
    return false;
}

bool ProcessBackend::has_limit(std::uint64_t id, Limit limit) const {
    const std::lock_guard guard(mutex_);
    const auto task = ledger_.find(id);
    return task && !(task->options.*limit).is_never();
}

// A task that went with a worker which had not begun it.
void ProcessBackend::handle_lost(std::uint64_t id) {
    TaskPointer task;
    {
        const std::lock_guard guard(mutex_);
        task = ledger_.find(id);
        if (task) renew(*task);
    }
    if (task) give_out_again(task);
}

// The attempt has failed. Returns null if there will be another one, or if the task is done already; else it
// is out of the ledger.
TaskPointer ProcessBackend::lose(std::uint64_t id, int Task::*times, int TaskOptions::*retries) {
    TaskPointer task;
    {
        const std::lock_guard guard(mutex_);
        task = ledger_.find(id);
        if (!task) return nullptr;
        not_due(id);
        if ((*task.*times)++ >= task->options.*retries || broken_) return remove(id);
        renew(*task);
    }
    give_out_again(task);
    return nullptr;
}

void ProcessBackend::fail_late(std::uint64_t id, Limit limit) {
    const auto task = lose(id, &Task::late, &TaskOptions::timeout_retries);
    if (!task) return;
    const Deadline& time = task->options.*limit;
    task->future().set_error(std::make_exception_ptr(
        TimedOut(name_and_drop(*task) +
                     (limit == &TaskOptions::timeout
                          ? " took longer than " + worker::limit_in_words("timeout", time, "%g")
                          : " used more CPU time than " + worker::limit_in_words("cpu_time", time, "%g")) +
                     ", and its worker was ended",
                 position_of(*task))));
}

void ProcessBackend::fail_dead(std::uint64_t id, const worker::Death& death, const WorkerEntry& member) {
    const auto task = lose(id, &Task::deaths, &TaskOptions::retries);
    if (!task) return;
    WorkerDied::Circumstances circumstances;
    circumstances.task = task->number;
    circumstances.item = task->item;
    circumstances.memory = member.process->peak_memory;
    if (member.words) circumstances.last_lines = member.words->lines(options_.last_lines);
    std::string what = name_and_drop(*task) + ": its worker " +
                       (death.exitcode && *death.exitcode < 0 ? "was " : "") + death.what;
    if (task->deaths > 1) what += ", for the " + std::to_string(task->deaths) + ". time";
    if (circumstances.memory != 0)
        what +=
            "; it had at most " + std::to_string((circumstances.memory + 0xfffff) >> 20) + " MiB in memory";
    if (!circumstances.last_lines.empty())
        what += "\nthe last lines of its standard error:\n" + circumstances.last_lines;
    task->future().set_error(
        std::make_exception_ptr(WorkerDied(what, death.exitcode, death.stack, std::move(circumstances))));
}

}  // namespace chorus::inline v0::detail::pool
