// Budget: how much of a pool's budget the tasks in flight use, and which tasks wait for their part of
// it.
//
// Tasks go in the order of their submission: a heavy task waits until there is room for it, and those
// behind it wait too, so that none waits indefinitely. A task heavier than the whole budget goes alone.
//
// Thread safety: under the backend's mutex.
// Crash safety: private memory of the pool's process.
#pragma once

#include <cstddef>
#include <deque>

#include <chorus/detail/pool/task.hpp>

namespace chorus::inline v0::detail::pool {

class Budget {
public:
    /// 0: without a limit.
    explicit Budget(std::size_t all) noexcept : all_(all) {}

    /// Returns false if the task has to wait: next() returns it when there is room for it.
    bool enter(const TaskPointer& task);
    /// Counts the task without regard to the limit.
    void enter_at_once(Task& task) noexcept;
    /// The next one that may go now, null if there is none.
    TaskPointer next() noexcept;
    const std::deque<TaskPointer>& waiting() const noexcept { return waiting_; }
    /// The task is done, or need not wait any more. Returns whether others wait, which may go now.
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
