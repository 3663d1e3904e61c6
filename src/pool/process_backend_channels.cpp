#include "pool/process_backend.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <utility>

#include "channel/queue_core.hpp"
#include "memory/damage.hpp"

namespace chorus::inline v0::detail::pool {
namespace {

// One message as it came, for another queue.
void post_again(const channel::QueuePointer& queue, std::span<const std::byte> bytes,
                const message::Attachments& attachments) {
    std::vector<message::Attachment> attached;
    for (const int descriptor : attachments.all())
        attached.push_back({descriptor, static_cast<std::uint64_t>(descriptor)});
    post(queue, bytes, {}, attached);
}

}  // namespace

ChannelsPointer ProcessBackend::make_channels(std::uint32_t generation) {
    auto channels = std::make_shared<Channels>();
    channels->tasks = channel::make_queue(typeid(TaskItem), {}, traced_tasks);
    channels->answers = channel::make_queue(typeid(AnswerItem), {}, traced_answers);
    channels->generation = generation;
    return channels;
}

// Returns those that were in use. Throws: OsError, and nothing has changed.
ChannelsPointer ProcessBackend::exchange_channels() {
    const auto old = channels();
    auto fresh = make_channels(old->generation + 1);
    ready_.add(channel::descriptor_of(*fresh->answers), answers_tag);
    ready_.remove(old->answers->descriptor());
    show(PoolCounters::tasks, fresh->tasks->region()->name());
    show(PoolCounters::answers, fresh->answers->region()->name());
    const std::lock_guard guard(channels_mutex_);
    generation_ = fresh->generation;
    channels_ = std::move(fresh);
    return old;
}

// Through those of a worker: behind what it has said. If that cannot be, nothing that it has said will be
// heard.
void ProcessBackend::say_through(ChannelsPointer through, AnswerHeader header) {
    for (;; through = channels()) {
        try {
            post_header(through->answers, header);
            // If the channels were lost after the caller looked and before they were given up, the message
            // is not read.
            if (!through->is_lost) return;
        } catch (const ShutDown& said) {
            lose_answers(through, said);
        } catch (const Damaged& damage) {
            lose_channels(through, damage.what());
        }
    }
}

// A pool never shuts down its queue of answers; lose_channels() gives it up. A ShutDown from channels that
// are not lost is damage.
void ProcessBackend::lose_answers(const ChannelsPointer& channels, const ShutDown& said) noexcept {
    lose_channels(channels, std::string("a pool's answers are damaged: ") + said.what());
}

// The current queue of tasks is shut down when the workers are sent home, and not before. Returns false if
// they were; else a ShutDown is damage.
bool ProcessBackend::lose_tasks(const ChannelsPointer& channels) noexcept {
    {
        const std::lock_guard guard(mutex_);
        if (sent_sharing_ && are_today_s(*channels)) return false;
    }
    if (are_today_s(*channels))
        lose_channels(channels, "a pool's tasks are damaged: the queue says that it was shut down");
    return true;
}

// ---- what is damaged ----------------------------------------------------------------------------

// By whoever finds it. What was given out through them is lost, and so are the workers, who would wait there
// for ever. What came through older ones was passed on through those of today: so with these, all is lost.
// Requires: no lock.
void ProcessBackend::lose_channels(const ChannelsPointer& lost, const std::string& what) noexcept {
    std::vector<ChannelsPointer> all{lost};
    std::vector<TaskPointer> failed;
    std::vector<std::uint32_t> told_dead;
    try {
        const std::lock_guard one_at_a_time(replacing_);
        if (lost->is_lost) return;
        const bool were_today_s = are_today_s(*lost);
        if (were_today_s) exchange_channels();
        const std::lock_guard guard(mutex_);
        if (were_today_s) all.insert(all.end(), older_.begin(), older_.end());
        for (const auto& each : all) {
            each->is_lost = true;
            std::erase(older_, each);
        }
        for (const auto& task : ledger_.all()) {
            const bool is_lost =
                were_today_s ? task->generation <= lost->generation : task->generation == lost->generation;
            if (!task->is_placed || !is_lost) continue;
            not_due(task->id);
            remove(task->id);
            failed.push_back(task);
        }
        members_.for_each([&](WorkerEntry& member) {
            if (!member.channels->is_lost) return;
            member.kill();
            if (member.is_told_dead) told_dead.push_back(member.number);
        });
    } catch (const std::exception& error) {
        return break_down(what + "; and no others can be made: " + error.what());
    }
    for (const auto& each : all) {
        channel::give_up(*each->tasks);
        channel::give_up(*each->answers);
    }
    for (const auto& task : failed) {
        task->future().set_error(std::make_exception_ptr(Damaged(what)));
        task->drop_call();
    }
    try {
        for (const auto number : told_dead) say_through(channels(), {0, number, AnswerHeader::died});
    } catch (const std::exception& error) {
        break_down(error.what());
    }
    bell_.ring();
}

// ---- after a crash ------------------------------------------------------------------------------

// By the backend's thread.
void ProcessBackend::replace_after_crash() {
    {
        const std::lock_guard guard(mutex_);
        if (!std::exchange(has_crashed_, false)) return;
        if (closed_ && ledger_.size() == 0) return;  // nothing will be given out any more
    }
    ChannelsPointer old;
    {
        const std::lock_guard one_at_a_time(replacing_);
        old = exchange_channels();
        const std::lock_guard guard(mutex_);
        older_.push_back(old);
    }
    try {
        ready_.add(old->answers->descriptor(), older_answers_tag);
        // Who hears is to go on with the new ones.
        if (leader_.load() != nullptr) post_header(old->answers, AnswerHeader{.kind = AnswerHeader::wake_up});
        move_tasks(old);
        channel::shut_down(*old->tasks, false);  // its workers leave when they have nothing to do
    } catch (const ShutDown&) {                  // somebody has found them damaged
    } catch (const Damaged& damage) {
        lose_channels(old, damage.what());
    }
}

// Those that no worker has taken.
void ProcessBackend::move_tasks(const ChannelsPointer& from) {
    std::vector<std::pair<TaskPointer, std::uint64_t>> placed;
    {
        const std::lock_guard guard(mutex_);
        for (const auto& task : ledger_.all()) {
            if (task->is_placed && task->generation == from->generation) placed.emplace_back(task, task->id);
        }
    }
    for (const auto& [task, id] : placed) give_out_elsewhere(task, id);
}

// By the backend's thread. A worker that crashed may have overwritten its note, so that the note does not
// name the task that the worker had. Such a task has three properties: a worker has taken it (tasks that were
// not taken have been given out elsewhere); no note of a living worker names it (a worker notes a task before
// it takes it, and until its answer is in the queue); and no answer to it is read before this message.
void ProcessBackend::search_for_lost() {
    std::vector<std::pair<ChannelsPointer, std::uint64_t>> lost;
    {
        const std::lock_guard guard(mutex_);
        // A death that is being handled may still say what becomes of its task.
        if (to_search_.empty() || has_crashed_ || deaths_in_hand_ > 0) return;
        for (const auto& task : ledger_.all()) {
            if (!task->is_placed || members_.note(task->id)) continue;
            for (const auto& each : to_search_) {
                if (task->generation != each->generation) continue;
                // Channels that are over have been read to their end.
                const bool are_over = !are_today_s(*each) && std::ranges::find(older_, each) == older_.end();
                lost.emplace_back(are_over ? channels() : each, task->id);
                break;
            }
        }
        to_search_.clear();
    }
    for (const auto& [through, id] : lost) say_through(through, {id, 0, AnswerHeader::lost_with_note});
}

// By the backend's thread. What comes through older channels goes into those of today, once nobody else hears
// the older ones: so all that a worker has said is heard in its order.
void ProcessBackend::hear_older() {
    std::vector<ChannelsPointer> older;
    {
        const std::lock_guard guard(mutex_);
        older = older_;
    }
    if (older.empty()) return;
    if (leader_.load() != nullptr && hears_generation_ != channels()->generation)
        return;  // it rings when it has gone on
    for (const auto& each : older) {
        try {
            bool is_over = false;
            {
                const std::lock_guard guard(mutex_);
                is_over = !members_.use(*each) && deaths_in_hand_ == 0;
            }
            while (relay(each)) {
            }
            if (!is_over) continue;
            ready_.remove(each->answers->descriptor());
            {
                const std::lock_guard guard(mutex_);
                std::erase(older_, each);
            }
            say_through(channels(), {0, each->generation, AnswerHeader::generation_over});
        } catch (const ShutDown& said) {
            lose_answers(each, said);
        } catch (const Damaged& damage) {
            lose_channels(each, damage.what());
        }
    }
}

// Returns false if nothing is left: then the older channels ring when there is something.
bool ProcessBackend::relay(const ChannelsPointer& older) {
    channel::Getting getting(*older->answers, now);
    if (!getting.begun()) return channel::is_ready_or_will_ring(*older->answers);
    AnswerHeader header;
    if (getting.bytes().size() < sizeof header)
        memory::throw_damaged("a pool's queue of answers", "a message is shorter than its header");
    std::memcpy(&header, getting.bytes().data(), sizeof header);
    if (!header.is_whole()) memory::throw_damaged("a pool's queue of answers", "a header was written over");
    const auto attachments = getting.attachments();
    post_again(channels()->answers, getting.bytes(), attachments);
    const auto block = getting.block();
    const bool is_long = getting.is_long();
    getting.commit();
    if (is_long) const channel::TakenBlock taken(older->answers, block);
    return true;
}

void ProcessBackend::handle_lost_with_note(std::uint64_t id) {
    TaskPointer task;
    {
        const std::lock_guard guard(mutex_);
        not_due(id);
        task = remove(id);
    }
    if (!task) return;
    task->future().set_error(
        std::make_exception_ptr(Damaged("a worker of the pool crashed and wrote over what it had noted: "
                                        "this task was lost with it, and may have been begun")));
    task->drop_call();
}

// All answers of that generation have been read. A task that was given out there and has no outcome is lost;
// search_for_lost() finds most of them before.
void ProcessBackend::handle_generation_over(std::uint32_t generation) {
    std::vector<std::pair<TaskPointer, std::uint64_t>> left;
    {
        const std::lock_guard guard(mutex_);
        for (const auto& task : ledger_.all()) {
            if (task->is_placed && task->generation == generation) left.emplace_back(task, task->id);
        }
    }
    for (const auto& [task, id] : left) {
        if (take_back(*task, id)) {
            give_out_elsewhere(task, id);
        } else {
            handle_lost_with_note(id);
        }
    }
}

}  // namespace chorus::inline v0::detail::pool
