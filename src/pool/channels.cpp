#include "pool/channels.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "channel/queue_core.hpp"
#include "pool/pool_state.hpp"
#include "pool/task_failure.hpp"

namespace chorus::inline v0::detail::pool {
namespace {

ChannelsPointer make_channels(std::uint32_t generation) {
    auto channels = std::make_shared<Channels>();
    channels->tasks = channel::make_queue(typeid(TaskItem), {}, traced_tasks);
    channels->answers = channel::make_queue(typeid(AnswerItem), {}, traced_answers);
    channels->generation = generation;
    return channels;
}

}  // namespace

void ChannelSet::open() {
    auto channels = make_channels(1);
    state_.ready.add(channel::descriptor_of(*channels->answers), PoolState::answers_tag);
    const std::lock_guard guard(current_mutex_);
    generation_ = channels->generation;
    current_ = std::move(channels);
}

// Requires: replacing_. Returns those that were in use. Throws: OsError, and nothing has changed.
ChannelsPointer ChannelSet::exchange() {
    const auto old = current();
    auto fresh = make_channels(old->generation + 1);
    state_.ready.add(channel::descriptor_of(*fresh->answers), PoolState::answers_tag);
    state_.ready.remove(old->answers->descriptor());
    state_.show(PoolCounters::tasks, fresh->tasks->region()->name());
    state_.show(PoolCounters::answers, fresh->answers->region()->name());
    const std::lock_guard guard(current_mutex_);
    generation_ = fresh->generation;
    current_ = std::move(fresh);
    return old;
}

ChannelsPointer ChannelSet::retire() {
    const std::lock_guard one_at_a_time(replacing_);
    auto old = exchange();
    const std::lock_guard guard(state_.mutex);
    older_.push_back(old);
    return old;
}

bool ChannelSet::are_older(const Channels& channels) const noexcept {
    return std::ranges::any_of(older_, [&](const auto& each) { return each.get() == &channels; });
}

void ChannelSet::post(ChannelsPointer through, AnswerHeader header) {
    for (;; through = current()) {
        try {
            post_header(through->answers, header);
            // If the channels were lost after the caller looked and before they were given up, the
            // message is not read.
            if (!through->is_lost) return;
        } catch (const ShutDown& error) {
            lose_answers(through, error);
        } catch (const Damaged& damage) {
            lose(through, damage.what());
        }
    }
}

void ChannelSet::lose_answers(const ChannelsPointer& channels, const ShutDown& error) noexcept {
    lose(channels, std::string("a pool's answers are damaged: ") + error.what());
}

bool ChannelSet::lose_tasks(const ChannelsPointer& channels) noexcept {
    {
        const std::lock_guard guard(state_.mutex);
        if (state_.workers_sent_home && are_current(*channels)) return false;
    }
    if (are_current(*channels))
        lose(channels, "a pool's tasks are damaged: the queue says that it was shut down");
    return true;
}

void ChannelSet::lose(const ChannelsPointer& lost, const std::string& what) noexcept {
    std::vector<ChannelsPointer> all{lost};
    std::vector<TaskPointer> failed;
    std::vector<std::uint32_t> posted_dead;
    try {
        const std::lock_guard one_at_a_time(replacing_);
        if (lost->is_lost) return;
        const bool were_current = are_current(*lost);
        if (were_current) exchange();
        const std::lock_guard guard(state_.mutex);
        if (were_current) all.insert(all.end(), older_.begin(), older_.end());
        for (const auto& each : all) {
            each->is_lost = true;
            std::erase(older_, each);
        }
        for (const auto& task : state_.ledger.all()) {
            const bool is_lost =
                were_current ? task->generation <= lost->generation : task->generation == lost->generation;
            if (!task->is_placed || !is_lost) continue;
            state_.remove_with_deadline(task->id);
            failed.push_back(task);
        }
        state_.workers.for_each([&](WorkerEntry& entry) {
            if (!entry.channels->is_lost) return;
            entry.kill();
            if (entry.is_death_posted) posted_dead.push_back(entry.number);
        });
    } catch (const std::exception& error) {
        return state_.break_down(what + "; and no others can be made: " + error.what());
    }
    for (const auto& each : all) {
        channel::give_up(*each->tasks);
        channel::give_up(*each->answers);
    }
    for (const auto& task : failed) fail(*task, std::make_exception_ptr(Damaged(what)));
    try {
        for (const auto number : posted_dead) post(current(), {0, number, AnswerHeader::died});
    } catch (const std::exception& error) {
        state_.break_down(error.what());
    }
    state_.bell.ring();
}

}  // namespace chorus::inline v0::detail::pool
