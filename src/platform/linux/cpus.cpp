#include "platform/cpus.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>

#include "platform/linux/control_group.hpp"

#include <sched.h>
#include <unistd.h>

namespace chorus::inline v0::detail::platform {

int all_cpus() noexcept {
    const long count = ::sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? static_cast<int>(count) : 1;
}

int usable_cpus() noexcept {
    cpu_set_t set;
    CPU_ZERO(&set);
    int count = ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : all_cpus();
    // A control group, or one that contains it, may have a CPU quota.
    for (const ControlGroup& group : control_groups("cpu")) {
        const bool in_one_file = group.version == 2;
        std::ifstream file(group.directory + (in_one_file ? "/cpu.max" : "/cpu.cfs_quota_us"));
        std::ifstream second_file(in_one_file ? "" : group.directory + "/cpu.cfs_period_us");
        std::string quota;  // "max" or "-1": none
        double period = 0;
        if (!(file >> quota) || !((in_one_file ? file : second_file) >> period) || period <= 0) continue;
        const double time = std::strtod(quota.c_str(), nullptr);
        if (time > 0) count = std::min(count, std::max(1, static_cast<int>(time / period)));
    }
    return std::max(count, 1);
}

}  // namespace chorus::inline v0::detail::platform
