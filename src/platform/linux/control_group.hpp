// The control groups that this process belongs to, as files (/sys/fs/cgroup).
#pragma once

#include <string>
#include <vector>

namespace chorus::inline v0::detail::platform {

struct ControlGroup {
    std::string directory;
    int version = 2;
};

/// The groups with this controller ("memory", "cpu"): the process's own, then those that contain it. A
/// container shows its own group as the root.
std::vector<ControlGroup> control_groups(const std::string& controller);

}  // namespace chorus::inline v0::detail::platform
