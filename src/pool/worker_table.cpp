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
    if (!note->doing.compare_exchange_strong(doing, WorkerStatus::with(WorkerStatus::task_of(doing), how)))
        return false;
    kill();
    return true;
}

void WorkerTable::add(WorkerEntry member) {
    const auto number = member.number;
    all_.emplace(number, std::move(member));
}

WorkerEntry* WorkerTable::find(std::uint32_t number) noexcept {
    const auto found = all_.find(number);
    return found == all_.end() ? nullptr : &found->second;
}

std::optional<WorkerEntry> WorkerTable::take_out(std::uint32_t number) noexcept {
    auto found = all_.extract(number);
    if (found.empty()) return std::nullopt;
    return std::move(found.mapped());
}

bool WorkerTable::use(const Channels& channels) const noexcept {
    return std::ranges::any_of(all_,
                               [&](const auto& each) { return each.second.channels.get() == &channels; });
}

bool WorkerTable::note(std::uint64_t task) const noexcept {
    return std::ranges::any_of(
        all_, [&](const auto& each) { return WorkerStatus::task_of(each.second.note->doing) == task; });
}

bool WorkerTable::have_begun(std::uint64_t task) const noexcept {
    return std::ranges::any_of(all_, [&](const auto& each) {
        const auto doing = each.second.note->doing.load();
        return WorkerStatus::task_of(doing) == task && WorkerStatus::step_of(doing) != WorkerStatus::taking;
    });
}

bool WorkerTable::are_at(std::uint64_t task, std::uint32_t item) const noexcept {
    return std::ranges::any_of(all_, [&](const auto& each) {
        const WorkerStatus& note = *each.second.note;
        return note.item == item && WorkerStatus::task_of(note.doing) == task;
    });
}

void WorkerTable::doom(std::uint64_t task) noexcept {
    for (auto& [number, member] : all_) {
        std::uint64_t seen = member.note->doing.load();
        while (seen == WorkerStatus::with(task, WorkerStatus::taking) ||
               seen == WorkerStatus::with(task, WorkerStatus::running)) {
            if (member.end(seen, WorkerStatus::doomed)) return;
        }
    }
}

void WorkerTable::doom_late(std::uint64_t task) noexcept {
    for (auto& [number, member] : all_) {
        std::uint64_t running = WorkerStatus::with(task, WorkerStatus::running);
        std::uint64_t answered = WorkerStatus::with(task, WorkerStatus::answered);
        if (member.end(running, WorkerStatus::doomed) || member.end(answered, WorkerStatus::doomed)) return;
    }
}

std::vector<int> WorkerTable::pids() const {
    std::vector<int> pids;
    for (const auto& [number, member] : all_) {
        if (member.is_started) pids.push_back(member.process->pid);
    }
    return pids;
}

}  // namespace chorus::inline v0::detail::pool
