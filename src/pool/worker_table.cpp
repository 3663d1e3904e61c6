#include "pool/worker_table.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <utility>

namespace chorus::inline v0::detail::pool {

void WorkerEntry::kill() noexcept {
    is_killed = true;
    if (!is_started) return;
    try {
        worker::send_signal(process, SIGKILL);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "chorus: a worker of a pool cannot be killed: %s\n", error.what());
    }
}

bool WorkerEntry::end(std::uint64_t& doing, WorkerStatus::Step how) noexcept {
    if (!status->doing.compare_exchange_strong(doing, WorkerStatus::with(WorkerStatus::task_of(doing), how)))
        return false;
    kill();
    return true;
}

void WorkerTable::add(WorkerEntry entry) {
    const auto number = entry.number;
    all_.emplace(number, std::move(entry));
}

WorkerEntry* WorkerTable::find(std::uint32_t number) noexcept {
    const auto found = all_.find(number);
    return found == all_.end() ? nullptr : &found->second;
}

std::optional<WorkerEntry> WorkerTable::take_out_dead(std::uint32_t number) noexcept {
    auto found = all_.extract(number);
    if (found.empty()) return std::nullopt;
    ++deaths_in_progress_;
    return std::move(found.mapped());
}

void WorkerTable::set_ready(std::uint32_t number) noexcept {
    died_unready_ = 0;
    if (WorkerEntry* const entry = find(number)) entry->is_ready = true;
}

void WorkerTable::kill_all() noexcept {
    for (auto& [number, entry] : all_) entry.kill();
}

bool WorkerTable::uses(const Channels& channels) const noexcept {
    return std::ranges::any_of(all_,
                               [&](const auto& each) { return each.second.channels.get() == &channels; });
}

bool WorkerTable::names(std::uint64_t task) const noexcept {
    return std::ranges::any_of(
        all_, [&](const auto& each) { return WorkerStatus::task_of(each.second.status->doing) == task; });
}

bool WorkerTable::has_begun(std::uint64_t task) const noexcept {
    return std::ranges::any_of(all_, [&](const auto& each) {
        const auto doing = each.second.status->doing.load();
        return WorkerStatus::task_of(doing) == task && WorkerStatus::step_of(doing) != WorkerStatus::taking;
    });
}

bool WorkerTable::names(std::uint64_t task, std::uint32_t item) const noexcept {
    return std::ranges::any_of(all_, [&](const auto& each) {
        const WorkerStatus& status = *each.second.status;
        return status.item == item && WorkerStatus::task_of(status.doing) == task;
    });
}

void WorkerTable::end_task(std::uint64_t task) noexcept {
    for (auto& [number, entry] : all_) {
        std::uint64_t seen = entry.status->doing.load();
        while (seen == WorkerStatus::with(task, WorkerStatus::taking) ||
               seen == WorkerStatus::with(task, WorkerStatus::running)) {
            if (entry.end(seen, WorkerStatus::doomed)) return;
        }
    }
}

void WorkerTable::end_late_task(std::uint64_t task) noexcept {
    for (auto& [number, entry] : all_) {
        std::uint64_t running = WorkerStatus::with(task, WorkerStatus::running);
        std::uint64_t answered = WorkerStatus::with(task, WorkerStatus::answered);
        if (entry.end(running, WorkerStatus::doomed) || entry.end(answered, WorkerStatus::doomed)) return;
    }
}

void WorkerTable::end_stopped(WorkerEntry& entry, std::uint64_t doing, bool task_waits_to_begin) noexcept {
    switch (WorkerStatus::step_of(doing)) {
        case WorkerStatus::running:
            // Not at the queue, where it would hold up others.
            if (!task_waits_to_begin && entry.status->at_queue == 0) break;
            [[fallthrough]];
        case WorkerStatus::idle:  // or starting
        case WorkerStatus::answered: entry.end(doing, WorkerStatus::doomed); break;
        case WorkerStatus::taking: entry.end(doing, WorkerStatus::recalled); break;
        default: break;
    }
}

std::vector<int> WorkerTable::pids() const {
    std::vector<int> pids;
    for (const auto& [number, entry] : all_) {
        if (entry.is_started) pids.push_back(entry.process->pid);
    }
    return pids;
}

}  // namespace chorus::inline v0::detail::pool
