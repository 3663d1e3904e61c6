#include "pool/task_sender.hpp"

#include <exception>

#include "pool/task_failure.hpp"
#include "pool/task_trace.hpp"

namespace chorus::inline v0::detail::pool {
namespace {

std::vector<std::byte>& scratch() {
    static thread_local std::vector<std::byte> buffer;
    return buffer;
}

}  // namespace

void TaskSender::submit(TaskPointer task) {
    const auto channels = channels_.current();
    TaskMessage message(channels->tasks, scratch());
    std::exception_ptr error;
    bool elsewhere = false;
    try {
        write_task(message.out(), *task);
    } catch (const ShutDown&) {  // a long one, in channels that were given up meanwhile
        elsewhere = channels_.lose_tasks(channels);
        error = std::current_exception();
    } catch (const Damaged& damage) {
        channels_.lose(channels, damage.what());
        elsewhere = true;
    } catch (...) {
        error = std::current_exception();
    }
    if (elsewhere) return submit(std::move(task));
    if (!error) return give_out(task, channels, message, true);
    {
        const std::lock_guard guard(state_.mutex);
        state_.require_open();
        task->number = ++state_.submitted;
    }
    task->future().set_error(error);
}

void TaskSender::give_out(const TaskPointer& task, const ChannelsPointer& channels, TaskMessage& message,
                          bool first_time) {
    TaskHeader header;
    bool ring = false;
    {
        const std::lock_guard guard(state_.mutex);
        if (first_time) {
            task->bytes = message.size();
            const bool may_go = state_.enter(task);
            if (task->arrow != 0) trace_submission(*task);
            if (!may_go) return;  // let_in() gives it out
        }
        if (!state_.ledger.has(*task)) return;  // it was cancelled meanwhile
        ring = state_.needs_worker();
        header = header_of(*task);
    }
    if (message.is_long() && std::exchange(ring, false))
        state_.bell.ring();  // before it is put: if there is no room, only a worker can make some
    std::exception_ptr error;
    bool elsewhere = false;
    try {
        elsewhere = put(task, channels, message, header);
    } catch (const ShutDown&) {
        elsewhere = channels_.lose_tasks(channels);
        if (!elsewhere) error = std::current_exception();
    } catch (const Damaged& damage) {
        channels_.lose(channels, damage.what());
        elsewhere = true;
    } catch (...) {
        error = std::current_exception();
    }
    if (error) {
        const std::lock_guard guard(state_.mutex);
        state_.remove(header.id);
    }
    if (ring) state_.bell.ring();
    if (error) return static_cast<void>(task->future().set_error(error));
    if (elsewhere) give_out_elsewhere(task, header.id);
}

// Returns true if the channels have been replaced meanwhile.
bool TaskSender::put(const TaskPointer& task, const ChannelsPointer& channels, TaskMessage& message,
                     const TaskHeader& header) {
    const auto position = message.put(header);
    bool is_gone = false;
    {
        const std::lock_guard guard(state_.mutex);
        is_gone = state_.ledger.find(header.id) != task;  // it was cancelled meanwhile, or is done
        if (!is_gone) {
            task->channels = channels;
            task->generation = channels->generation;
            task->position = position;
            task->is_placed = true;
        }
    }
    if (!is_gone) return !channels_.are_current(*channels);
    if (!channel::retract(*channels->tasks, position)) {
        const std::lock_guard guard(state_.mutex);
        state_.workers.end_task(header.id);
    }
    return false;
}

void TaskSender::give_out_elsewhere(const TaskPointer& task, std::uint64_t id) {
    ChannelsPointer given_through;
    bool is_placed = false;
    {
        const std::lock_guard guard(state_.mutex);
        if (state_.ledger.find(id) != task) return;
        is_placed = task->is_placed;
        given_through = task->channels.lock();
    }
    const bool is_lost = is_placed && (!given_through || given_through->is_lost);
    if (is_placed && !is_lost && !take_back(*task, id)) {
        // A worker has taken it, and may have crashed before the task was known to be placed.
        {
            const std::lock_guard guard(state_.mutex);
            state_.to_search.push_back(given_through);
        }
        state_.bell.ring();
        return;
    }
    {
        const std::lock_guard guard(state_.mutex);
        if (state_.ledger.find(id) != task) return;  // another thread has done it, or it was cancelled
        if (is_lost) {
            state_.remove(id);
        } else {
            state_.renew(*task);
        }
    }
    if (!is_lost) return give_out_again(task);
    fail(*task, std::make_exception_ptr(Damaged("the pool's channels were damaged, and this task was lost "
                                                "with them")));
}

void TaskSender::give_out_again(const TaskPointer& task) {
    try {
        for (;;) {
            const auto channels = channels_.current();
            try {
                std::vector<std::byte> memory;
                TaskMessage message(channels->tasks, memory);
                write_task(message.out(), *task);
                task->future().set_pending();
                give_out(task, channels, message, false);
                break;
            } catch (const ShutDown&) {
                if (!channels_.lose_tasks(channels)) throw;
            } catch (const Damaged& damage) {
                channels_.lose(channels, damage.what());
            }
        }
    } catch (...) {
        task->future().set_error(std::current_exception());
    }
    bool done = false;
    {
        const std::lock_guard guard(state_.mutex);
        task->is_encoding = false;
        done = task->future().is_done();
        if (done) state_.remove(task->id);
    }
    if (done) task->drop_call();
}

std::vector<TaskSender::TaskAndId> TaskSender::placed_in(std::uint32_t generation) const {
    std::vector<TaskAndId> placed;
    const std::lock_guard guard(state_.mutex);
    for (const auto& task : state_.ledger.all()) {
        if (task->is_placed && task->generation == generation) placed.emplace_back(task, task->id);
    }
    return placed;
}

// A task that has run for so long that its position means another message by now has begun: that is
// asked first.
bool TaskSender::take_back(const Task& task, std::uint64_t id) noexcept {
    std::uint32_t position = 0;
    ChannelsPointer given_through;
    {
        const std::lock_guard guard(state_.mutex);
        if (!task.is_placed || state_.workers.has_begun(id)) return false;
        position = task.position;
        given_through = task.channels.lock();
    }
    if (!given_through) return false;
    try {
        return channel::retract(*given_through->tasks, position);
    } catch (const Damaged& damage) {
        channels_.lose(given_through, damage.what());
    } catch (const std::exception&) {  // the queue cannot be read: a worker that has the task keeps it
    }
    return false;
}

void TaskSender::cancelled(Task& task) noexcept {
    TaskPointer held;
    std::uint64_t id = 0;
    {
        const std::lock_guard guard(state_.mutex);
        id = task.id;
        held = state_.remove(id);
    }
    if (!held) return;
    if (!take_back(task, id)) {
        const std::lock_guard guard(state_.mutex);
        state_.workers.end_task(id);
    }
    {
        const std::lock_guard guard(state_.mutex);
        if (task.is_encoding) return;  // give_out_again() sees that it is done
    }
    task.drop_call();
}

void TaskSender::cancel_waiting() noexcept {
    std::vector<TaskAndId> all;
    {
        const std::lock_guard guard(state_.mutex);
        for (const auto& task : state_.ledger.all())
            all.emplace_back(task, task->is_held_back ? 0 : task->id);
    }
    for (const auto& [task, id] : all) {
        if (id == 0 || take_back(*task, id)) task->future().cancel();
    }
}

void TaskSender::let_in() {
    for (;;) {
        TaskPointer task;
        {
            const std::lock_guard guard(state_.mutex);
            task = state_.budget.next();
            if (!task) return;
            if (!state_.ledger.has(*task)) continue;  // cancelled
            state_.renew(*task);
        }
        give_out_again(task);
    }
}

}  // namespace chorus::inline v0::detail::pool
