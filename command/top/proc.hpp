// What /proc tells of processes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace command::top {

struct ProcessStatus {
    int pid = 0;
    int parent = 0;
    std::string command;
    char state = '?';
    std::uint64_t cpu_ticks = 0;
    std::uint64_t memory = 0;
    int threads = 0;
    bool is_ending = false;  ///< it runs no more of its own code, and closes what it had open

    bool has_ended() const noexcept { return state == 'Z' || state == 'X' || is_ending; }
};

/// Nothing if it is gone.
std::optional<ProcessStatus> status_of(int pid);
/// The process and all below it, each before its children.
std::vector<ProcessStatus> tree_of(int pid);

/// A user that may look at its descriptors may look at its memory. Only root may look at a process that
/// has ended, and sees none.
bool may_be_looked_at(int pid);
/// Its descriptors that lead to anonymous memory with this label; none if they may not be seen.
std::vector<std::string> memory_files(int pid, const std::string& label);

}  // namespace command::top
