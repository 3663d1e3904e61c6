#include "machine.hpp"

#include <cmath>
#include <ctime>
#include <fstream>

#include <sys/utsname.h>

#include <chorus/chorus.hpp>

#include "quantities.hpp"

namespace command::report {
namespace {

namespace mp = chorus::multiprocessing;

// The value of the first line that begins with this name.
std::string line_of(const char* path, const std::string& name) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        const auto colon = line.find(':');
        if (colon == line.npos || line.compare(0, name.size(), name) != 0) continue;
        const auto begin = line.find_first_not_of(" \t", colon + 1);
        return begin == line.npos ? "" : line.substr(begin);
    }
    return "";
}

std::string cpus() {
    const int all = mp::cpu_count();
    const int usable = mp::process_cpu_count();
    return std::to_string(usable) + (usable == all ? "" : " usable of " + std::to_string(all));
}

std::string memory() {
    const std::string kilobytes = line_of("/proc/meminfo", "MemTotal");
    return kilobytes.empty() ? "" : quantity(std::stod(kilobytes) * 1024, Unit::bytes);
}

std::string system() {
    utsname names{};
    return ::uname(&names) == 0 ? std::string(names.sysname) + " " + names.release + ", " + names.machine
                                : "";
}

std::string today() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    char text[64];
    if (::gmtime_r(&now, &parts) == nullptr ||
        std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &parts) == 0)
        return "";
    return text;
}

// How many tasks ran or were runnable in the last minute, on average; 0 if the system does not tell.
double load() {
    double last_minute = 0;
    std::ifstream("/proc/loadavg") >> last_minute;
    return last_minute;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> facts(bool quick) {
    std::vector<std::pair<std::string, std::string>> all{
        {"Processor", line_of("/proc/cpuinfo", "model name")},
        {"CPUs", cpus()},
        {"Memory", memory()},
        {"System", system()},
        {"Compiler", std::string("C++ by ") + CHORUS_COMPILER},
        {"Chorus", CHORUS_VERSION},
        {"Start method", mp::get_start_method()},
        {"Run", quick ? "quick" : "full"},
        {"Date", today()}};
    std::erase_if(all, [](const auto& fact) { return fact.second.empty(); });
    return all;
}

std::string busy_with_others() {
    const double now = load();
    if (now < 0.5 * mp::cpu_count()) return "";
    return "Other programs were at work: in the minute before, " + quantity(std::ceil(now), Unit::count) +
           " threads ran or wanted to, on average, on " + counted(mp::cpu_count(), "CPU", "CPUs") +
           ". What is measured here then is also what they left; run it again when it is quiet.";
}

}  // namespace command::report
