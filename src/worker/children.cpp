#include "worker/children.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

#include "platform/file_descriptor.hpp"
#include "platform/fork_mutex.hpp"

namespace chorus::inline v0::detail::worker {
namespace {

// One wait on the set of their handles finds which of 10,000 children have ended.
struct Children {
    platform::ForkMutex mutex;
    std::map<int, ProcessPointer> by_pid;
    std::optional<platform::ReadySet> endings;
};

Children& children() {
    static auto* const instance = new Children;
    return *instance;
}
// Before main: a fork while another thread makes it would leave a copy that waits indefinitely.
[[maybe_unused]] auto& children_exist = children();

}  // namespace

void prepare_to_add_child() {
    auto& here = children();
    const std::lock_guard guard(here.mutex);
    if (!here.endings) here.endings.emplace();
}

void add_child(const ProcessPointer& state, int pid, int process) {
    auto& here = children();
    const std::lock_guard guard(here.mutex);
    const auto place = here.by_pid.insert_or_assign(pid, state).first;
    try {
        here.endings->add(process, static_cast<std::uint64_t>(pid));
    } catch (...) {
        here.by_pid.erase(place);
        throw;
    }
}

void remove_child(int pid, int process) {
    auto& here = children();
    const std::lock_guard guard(here.mutex);
    if (here.by_pid.erase(pid) != 0) here.endings->remove(process);
}

void collect_ended_children() {
    for (;;) {
        std::vector<ProcessPointer> ended;
        {
            auto& here = children();
            const std::lock_guard guard(here.mutex);
            if (!here.endings) return;
            for (const auto tag : here.endings->wait(now)) {
                const auto found = here.by_pid.find(static_cast<int>(tag));
                if (found != here.by_pid.end()) ended.push_back(found->second);
            }
        }
        if (ended.empty()) return;
        for (const auto& state : ended) poll(*state);
    }
}

std::vector<ProcessPointer> living_children() {
    collect_ended_children();
    auto& here = children();
    const std::lock_guard guard(here.mutex);
    std::vector<ProcessPointer> living;
    for (const auto& [pid, state] : here.by_pid) living.push_back(state);
    std::sort(living.begin(), living.end(),
              [](const auto& a, const auto& b) { return a->path.back() < b->path.back(); });
    return living;
}

bool join_children() {
    const auto living = living_children();
    for (const auto& state : living) {
        if (state->daemon) send_signal(state, SIGTERM);
    }
    for (const auto& state : living) {
        // A daemon that does not end is killed: it must not hold up the program.
        if (state->daemon && !join_within(state, std::chrono::seconds(1))) send_signal(state, SIGKILL);
        join(state, {});
    }
    return !living.empty();
}

void forget_children() {
    auto& here = children();
    const std::lock_guard guard(here.mutex);
    here.endings.reset();
    here.by_pid.clear();
}

}  // namespace chorus::inline v0::detail::worker
