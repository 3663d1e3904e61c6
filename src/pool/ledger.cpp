#include "pool/ledger.hpp"

namespace chorus::inline v0::detail::pool {

void Ledger::add(const TaskPointer& task) {
    if (free_.empty()) {
        slots_.push_back({first_generation_, nullptr});
        free_.reserve(slots_.capacity());  // remove() has to find room
        free_.push_back(static_cast<std::uint32_t>(slots_.size() - 1));
    }
    const std::size_t place = free_.back();
    free_.pop_back();
    slots_[place].task = task;
    task->id = make_id(place, slots_[place].generation);
    ++size_;
}

void Ledger::renew(Task& task) noexcept {
    const std::size_t place = task.id >> 32;
    auto& generation = slots_[place].generation;
    generation = after(generation);
    task.id = make_id(place, generation);
}

TaskPointer Ledger::find(std::uint64_t id) const noexcept {
    const std::size_t place = id >> 32;
    if (place >= slots_.size() || slots_[place].generation != static_cast<std::uint32_t>(id)) return nullptr;
    return slots_[place].task;
}

TaskPointer Ledger::remove(std::uint64_t id) noexcept {
    auto task = find(id);
    if (!task) return nullptr;
    const std::size_t place = id >> 32;
    auto& slot = slots_[place];
    slot.task = nullptr;
    slot.generation = after(slot.generation);
    free_.push_back(static_cast<std::uint32_t>(place));
    --size_;
    return task;
}

std::vector<TaskPointer> Ledger::all() const {
    std::vector<TaskPointer> tasks;
    for (const auto& slot : slots_) {
        if (slot.task) tasks.push_back(slot.task);
    }
    return tasks;
}

}  // namespace chorus::inline v0::detail::pool
