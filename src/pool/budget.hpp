// How much of a pool's budget is used by the tasks that have been given out, and which ones wait for their
// part of it.
//
// In the order of their submission: a heavy task waits until there is room for it, and those behind wait too,
// so that none waits for ever. A task heavier than the whole budget goes alone.
//
// Threads: one at a time (its backend's lock).
#pragma once

#include <cstddef>
#include <deque>

#include <chorus/detail/pool/task.hpp>

namespace chorus::inline v0::detail::pool {

class Budget {
public:
    /// 0: without bounds.
    explicit Budget(std::size_t all) noexcept : all_(all) {}

    /// Returns false if the task has to wait: next() gives it back when its time has come.
    bool enter(const TaskPointer& task);
    /// In spite of the budget.
    void enter_at_once(Task& task) noexcept;
    /// The next one that may go now, null if there is none.
    TaskPointer next() noexcept;
    const std::deque<TaskPointer>& waiting() const noexcept { return waiting_; }
    /// The task is done, or need not wait any more. Returns: whether others wait, who may go now.
    bool leave(const TaskPointer& task) noexcept;

private:
    bool has_room_for(const Task& task) const noexcept {
        return used_ == 0 || (used_ <= all_ && task.options.weight <= all_ - used_);
    }

    const std::size_t all_;
    std::size_t used_ = 0;
    std::deque<TaskPointer> waiting_;
};

}  // namespace chorus::inline v0::detail::pool
