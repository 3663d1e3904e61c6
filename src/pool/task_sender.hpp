// Task sender: gives tasks out through the task queue, takes them back, and gives them out again.
//
//   1. A task's id changes when it is given out again and when it is done; messages with an old id are
//      ignored. So a task that was cancelled or completed while its message was being put needs no
//      rollback.
//   2. Messages are put without PoolState::mutex (rule 1 of pool_state.hpp).
//   3. A task counts as placed once its position in a queue is known. What was placed in channels that
//      were replaced meanwhile is given out once more, unless a worker has taken it: that worker still
//      answers.
//
// Thread safety: any thread. Requires: no lock; callbacks of futures and encoding of arguments run
// here.
// Crash safety: channels found damaged are lost (channels.hpp), and the task is given out through
// others.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "pool/pool_state.hpp"
#include "pool/wire.hpp"

namespace chorus::inline v0::detail::pool {

class TaskSender {
public:
    using TaskAndId = std::pair<TaskPointer, std::uint64_t>;

    TaskSender(PoolState& state, ChannelSet& channels) noexcept : state_(state), channels_(channels) {}

    /// A new task. Throws: UsageError after close(), BrokenPool, OsError. That its arguments cannot be
    /// written is the task's error.
    void submit(TaskPointer task);
    /// Once more, under the id that PoolState::renew() gave it. What fails is the task's error.
    void give_out_again(const TaskPointer& task);
    /// A task that was given out through channels which are not the current ones.
    void give_out_elsewhere(const TaskPointer& task, std::uint64_t id);
    /// Each task that was placed in these channels, with the id of that attempt.
    std::vector<TaskAndId> placed_in(std::uint32_t generation) const;
    /// Returns whether no worker will begin the task.
    bool take_back(const Task& task, std::uint64_t id) noexcept;
    /// Its future was cancelled: no worker begins it, or the one that runs it is ended.
    void cancelled(Task& task) noexcept;
    /// Cancels the futures of all tasks that no worker has taken.
    void cancel_waiting() noexcept;
    /// Gives out tasks that the budget held back.
    void let_in();

private:
    bool put(const TaskPointer& task, const ChannelsPointer& channels, TaskMessage& message,
             const TaskHeader& header);
    void give_out(const TaskPointer& task, const ChannelsPointer& channels, TaskMessage& message,
                  bool first_time);

    PoolState& state_;
    ChannelSet& channels_;
};

}  // namespace chorus::inline v0::detail::pool
