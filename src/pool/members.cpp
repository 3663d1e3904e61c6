#include "pool/members.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <utility>

namespace chorus::pool {

void Member::kill() noexcept {
    is_killed = true;
    if (!is_started) return;
    try {
        worker::send_signal(process, SIGKILL);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "chorus: a worker of a pool cannot be killed: %s\n", error.what());
    }
}

bool Member::end(std::uint64_t& doing, Note::Step how) noexcept {
    if (!note->doing.compare_exchange_strong(doing, Note::with(Note::task_of(doing), how))) return false;
    kill();
    return true;
}

void Members::add(Member member) {
    const auto number = member.number;
    all_.emplace(number, std::move(member));
}

Member* Members::find(std::uint32_t number) noexcept {
    const auto found = all_.find(number);
    return found == all_.end() ? nullptr : &found->second;
}

std::optional<Member> Members::take_out(std::uint32_t number) noexcept {
    auto found = all_.extract(number);
    if (found.empty()) return std::nullopt;
    return std::move(found.mapped());
}

bool Members::use(const Channels& channels) const noexcept {
    return std::ranges::any_of(all_,
                               [&](const auto& each) { return each.second.channels.get() == &channels; });
}

bool Members::note(std::uint64_t task) const noexcept {
    return std::ranges::any_of(
        all_, [&](const auto& each) { return Note::task_of(each.second.note->doing) == task; });
}

bool Members::have_begun(std::uint64_t task) const noexcept {
    return std::ranges::any_of(all_, [&](const auto& each) {
        const auto doing = each.second.note->doing.load();
        return Note::task_of(doing) == task && Note::step_of(doing) != Note::taking;
    });
}

bool Members::are_at(std::uint64_t task, std::uint32_t item) const noexcept {
    return std::ranges::any_of(all_, [&](const auto& each) {
        const Note& note = *each.second.note;
        return note.item == item && Note::task_of(note.doing) == task;
    });
}

void Members::doom(std::uint64_t task) noexcept {
    for (auto& [number, member] : all_) {
        std::uint64_t seen = member.note->doing.load();
        while (seen == Note::with(task, Note::taking) || seen == Note::with(task, Note::running)) {
            if (member.end(seen, Note::doomed)) return;
        }
    }
}

void Members::doom_late(std::uint64_t task) noexcept {
    for (auto& [number, member] : all_) {
        std::uint64_t running = Note::with(task, Note::running);
        std::uint64_t answered = Note::with(task, Note::answered);
        if (member.end(running, Note::doomed) || member.end(answered, Note::doomed)) return;
    }
}

std::vector<int> Members::pids() const {
    std::vector<int> pids;
    for (const auto& [number, member] : all_) {
        if (member.is_started) pids.push_back(member.process->pid);
    }
    return pids;
}

}  // namespace chorus::pool
