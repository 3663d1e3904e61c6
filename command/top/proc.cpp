#include "proc.hpp"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>

#include <unistd.h>

namespace command::top {

namespace fs = std::filesystem;

std::optional<ProcessStatus> status_of(int pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    if (!std::getline(file, line)) return std::nullopt;
    // The command stands in parentheses, and may hold spaces and parentheses itself.
    const auto open = line.find('(');
    const auto close = line.rfind(')');
    if (open == std::string::npos || close == std::string::npos) return std::nullopt;
    ProcessStatus status;
    status.pid = pid;
    status.command = line.substr(open + 1, close - open - 1);
    std::istringstream fields(line.substr(close + 1));
    std::string skipped;
    std::uint64_t flags = 0;
    std::uint64_t user = 0;
    std::uint64_t system = 0;
    std::uint64_t pages = 0;
    fields >> status.state >> status.parent;
    for (int i = 0; i < 4; ++i) fields >> skipped;
    fields >> flags;
    for (int i = 0; i < 4; ++i) fields >> skipped;
    fields >> user >> system;
    for (int i = 0; i < 4; ++i) fields >> skipped;
    fields >> status.threads;
    for (int i = 0; i < 3; ++i) fields >> skipped;
    fields >> pages;
    constexpr std::uint64_t exiting = 0x4;  // PF_EXITING of the kernel's sched.h
    status.is_ending = (flags & exiting) != 0;
    status.cpu_ticks = user + system;
    status.memory = pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    return status;
}

namespace {

using Children = std::map<int, std::vector<ProcessStatus>>;

void add_below(const Children& children, int pid, std::vector<ProcessStatus>& tree) {
    const auto found = children.find(pid);
    if (found == children.end()) return;
    for (const auto& child : found->second) {
        tree.push_back(child);
        add_below(children, child.pid, tree);
    }
}

}  // namespace

std::vector<ProcessStatus> tree_of(int pid) {
    const auto root = status_of(pid);
    if (!root) return {};
    Children children;
    for (const auto& entry : fs::directory_iterator("/proc")) {
        const std::string name = entry.path().filename();
        int each = 0;
        if (std::from_chars(name.data(), name.data() + name.size(), each).ptr != name.data() + name.size())
            continue;
        if (const auto status = status_of(each)) children[status->parent].push_back(*status);
    }
    std::vector<ProcessStatus> tree{*root};
    add_below(children, pid, tree);
    return tree;
}

bool may_be_looked_at(int pid) {
    std::error_code error;
    fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd", error);
    return !error;
}

std::vector<std::string> memory_files(int pid, const std::string& label) {
    const std::string folder = "/proc/" + std::to_string(pid) + "/fd";
    std::vector<std::string> files;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
        std::error_code gone;
        if (fs::read_symlink(entry->path(), gone).string().starts_with("/memfd:" + label + " "))
            files.push_back(entry->path());
    }
    return files;
}

}  // namespace command::top
