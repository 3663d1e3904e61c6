#include "pool/pool_state.hpp"

#include <algorithm>
#include <exception>

namespace chorus::inline v0::detail::pool {

void PoolState::require_open() const {
    if (is_a_copy())
        throw UsageError("this pool was made by another process: make one here, or submit there");
    if (broken) throw BrokenPool(*broken);
    if (closed)
        throw UsageError(
            "the pool is closed and nothing more can be submitted: submit before close() and shutdown(), or "
            "make another pool");
}

bool PoolState::enter(const TaskPointer& task) {
    require_open();
    const bool has_timeout = !task->options.timeout.is_never();
    if (has_timeout) watchdog.start();
    ledger.add(task);
    task->number = ++submitted;
    show(PoolCounters::submitted, submitted);
    show(PoolCounters::unfinished, ledger.size());
    if (has_timeout) {
        stall.add_timeout(worker::length_of(task->options.timeout));
        if (!stall.is_watching()) watchdog.look_again();
    }
    stall.count_as_waiting(*task, true);
    return budget.enter(task);
}

TaskPointer PoolState::remove(std::uint64_t id) {
    auto task = ledger.remove(id);
    if (!task) return nullptr;
    stall.count_as_waiting(*task, false);
    show(PoolCounters::unfinished, ledger.size());
    const bool others_may_go = budget.leave(task);
    if (others_may_go || is_done()) bell.ring();
    return task;
}

TaskPointer PoolState::remove_with_deadline(std::uint64_t id) {
    deadlines.remove(id);
    return remove(id);
}

void PoolState::renew(Task& task) {
    ledger.renew(task);
    task.is_placed = false;
    task.is_encoding = true;
    stall.count_as_waiting(task, true);
}

std::vector<TaskPointer> PoolState::take_all() {
    auto all = ledger.all();
    for (const auto& task : all) remove(task->id);
    return all;
}

void PoolState::add_deadline(std::uint64_t id, const Deadline& timeout) {
    deadlines.add(id, timeout);
    watchdog.look_again();
}

void PoolState::break_down(const std::string& why) {
    std::vector<TaskPointer> all;
    {
        const std::lock_guard guard(mutex);
        if (broken) return;
        broken = why;
        closed = true;
        all = take_all();
        workers.kill_all();
    }
    for (const auto& task : all) task->future().set_error(std::make_exception_ptr(BrokenPool(why)));
    bell.ring();
}

}  // namespace chorus::inline v0::detail::pool
