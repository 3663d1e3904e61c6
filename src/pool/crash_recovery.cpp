#include "pool/crash_recovery.hpp"

#include <exception>
#include <utility>

#include "channel/queue_core.hpp"
#include "pool/task_failure.hpp"

namespace chorus::inline v0::detail::pool {

void CrashRecovery::replace_channels() {
    {
        const std::lock_guard guard(state_.mutex);
        if (!std::exchange(state_.has_crashed, false)) return;
        if (state_.is_done()) return;  // nothing will be given out any more
    }
    const auto old = channels_.retire();
    try {
        state_.ready.add(old->answers->descriptor(), PoolState::older_answers_tag);
        // So that the leader goes on with the new ones.
        if (reader_.has_leader()) post_header(old->answers, AnswerHeader{.kind = AnswerHeader::wake_up});
        for (const auto& [task, id] : sender_.placed_in(old->generation))
            sender_.give_out_elsewhere(task, id);
        channel::shut_down(*old->tasks, false);  // its workers leave when they have nothing to do
    } catch (const ShutDown&) {                  // another thread has found them damaged
    } catch (const Damaged& damage) {
        channels_.lose(old, damage.what());
    }
}

void CrashRecovery::search_for_lost() {
    std::vector<std::pair<ChannelsPointer, std::uint64_t>> lost;
    {
        const std::lock_guard guard(state_.mutex);
        // A death that is being handled may still say what becomes of its task.
        if (state_.to_search.empty() || state_.has_crashed || state_.workers.has_deaths_in_progress()) return;
        for (const auto& task : state_.ledger.all()) {
            if (!task->is_placed || state_.workers.names(task->id)) continue;
            for (const auto& each : state_.to_search) {
                if (task->generation != each->generation) continue;
                // Channels that are over have been read to their end.
                const bool are_over = !channels_.are_current(*each) && !channels_.are_older(*each);
                lost.emplace_back(are_over ? channels_.current() : each, task->id);
                break;
            }
        }
        state_.to_search.clear();
    }
    for (const auto& [through, id] : lost) channels_.post(through, {id, 0, AnswerHeader::lost_with_status});
}

void CrashRecovery::read_older() {
    std::vector<ChannelsPointer> older;
    {
        const std::lock_guard guard(state_.mutex);
        older = channels_.older();
    }
    if (older.empty() || reader_.reads_older()) return;
    for (const auto& each : older) {
        try {
            read_older(each);
        } catch (const ShutDown& error) {
            channels_.lose_answers(each, error);
        } catch (const Damaged& damage) {
            channels_.lose(each, damage.what());
        }
    }
}

void CrashRecovery::read_older(const ChannelsPointer& older) {
    bool is_over = false;
    {
        const std::lock_guard guard(state_.mutex);
        is_over = !state_.workers.uses(*older) && !state_.workers.has_deaths_in_progress();
    }
    while (pass_on(older)) {
    }
    if (!is_over) return;
    state_.ready.remove(older->answers->descriptor());
    {
        const std::lock_guard guard(state_.mutex);
        channels_.forget(older);
    }
    channels_.post(channels_.current(), {0, older->generation, AnswerHeader::generation_over});
}

// Returns false if nothing is left: then the older channels ring when there is something.
bool CrashRecovery::pass_on(const ChannelsPointer& older) {
    channel::Getting getting(*older->answers, now);
    if (!getting.begun()) return channel::is_ready_or_will_ring(*older->answers);
    read_header<AnswerHeader>(getting.bytes());
    const auto attachments = getting.attachments();
    forward(channels_.current()->answers, getting.bytes(), attachments);
    const auto block = getting.block();
    const bool is_long = getting.is_long();
    getting.commit();
    if (is_long) const channel::TakenBlock taken(older->answers, block);
    return true;
}

void CrashRecovery::handle_lost(std::uint64_t id) {
    TaskPointer task;
    {
        const std::lock_guard guard(state_.mutex);
        task = state_.remove_with_deadline(id);
    }
    if (!task) return;
    fail(*task,
         std::make_exception_ptr(Damaged("a worker of the pool crashed and wrote over what it had noted: "
                                         "this task was lost with it, and may have been begun")));
}

// search_for_lost() finds most of these tasks before.
void CrashRecovery::handle_generation_over(std::uint32_t generation) {
    for (const auto& [task, id] : sender_.placed_in(generation)) {
        if (sender_.take_back(*task, id)) {
            sender_.give_out_elsewhere(task, id);
        } else {
            handle_lost(id);
        }
    }
}

}  // namespace chorus::inline v0::detail::pool
