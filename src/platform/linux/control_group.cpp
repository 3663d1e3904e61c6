#include "platform/linux/control_group.hpp"

#include <fstream>
#include <string_view>

namespace chorus::inline v0::detail::platform {
namespace {

bool contains(std::string_view list, const std::string& controller) {
    return ("," + std::string(list) + ",").find("," + controller + ",") != std::string::npos;
}

}  // namespace

std::vector<ControlGroup> control_groups(const std::string& controller) {
    std::vector<ControlGroup> groups;
    std::ifstream file("/proc/self/cgroup");
    // HIERARCHY:CONTROLLERS:PATH; version 2 has no controllers.
    for (std::string line; std::getline(file, line);) {
        const auto first = line.find(':');
        const auto second = line.find(':', first + 1);
        if (second == std::string::npos) continue;
        const std::string_view controllers = std::string_view(line).substr(first + 1, second - first - 1);
        if (!controllers.empty() && !contains(controllers, controller)) continue;
        const int version = controllers.empty() ? 2 : 1;
        const std::string mount = version == 2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/" + controller;
        for (std::string path = line.substr(second + 1);; path.erase(path.find_last_of('/'))) {
            groups.push_back({mount + path, version});
            if (path.find('/') == std::string::npos) break;
        }
    }
    return groups;
}

}  // namespace chorus::inline v0::detail::platform
