#include "pool/budget.hpp"

namespace chorus::inline v0::detail::pool {

bool Budget::enter(const TaskPointer& task) {
    if (all_ == 0 || task->options.weight == 0) return true;
    if (!waiting_.empty() || !has_room_for(*task)) {
        waiting_.push_back(task);
        task->is_held_back = true;
        return false;
    }
    enter_at_once(*task);
    return true;
}

void Budget::enter_at_once(Task& task) noexcept {
    if (all_ == 0) return;
    task.used = task.options.weight;
    used_ += task.used;
}

TaskPointer Budget::next() noexcept {
    if (waiting_.empty() || !has_room_for(*waiting_.front())) return nullptr;
    TaskPointer task = std::move(waiting_.front());
    waiting_.pop_front();
    task->is_held_back = false;
    enter_at_once(*task);
    return task;
}

bool Budget::leave(const TaskPointer& task) noexcept {
    used_ -= std::exchange(task->used, 0);
    if (std::exchange(task->is_held_back, false)) std::erase(waiting_, task);
    return !waiting_.empty();
}

}  // namespace chorus::inline v0::detail::pool
