#include "advice.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

#include "quantities.hpp"

namespace command::report {
namespace {

std::string ns(const Figure* figure) { return quantity(figure->median, Unit::nanoseconds); }

const Part* part_named(const Parts& parts, std::string_view name) {
    const auto found = std::ranges::find(parts, name, &Part::name);
    return found == parts.end() ? nullptr : &*found;
}

/// Of threads and processes in the same chart, at the same place.
struct Both {
    const Figure* threads;
    const Figure* processes;
    double at;

    explicit operator bool() const { return threads != nullptr && processes != nullptr; }
};

// At the fewest workers that gain nearly as much as any number does: more of them only take memory.
Both best_gain(const Parts& parts, std::string_view name) {
    constexpr double nearly = 0.9;
    std::vector<Both> all;
    const Part* const part = part_named(parts, name);
    if (part == nullptr) return {nullptr, nullptr, 0};
    for (const auto& chart : part->charts) {
        for (const auto& series : chart.series) {
            if (chart.name != "gain" || series.kind != Kind::processes) continue;
            for (const auto& point : series.points)
                all.push_back({part->find("gain", "threads", point.at), &point.figure, point.at});
        }
    }
    std::erase_if(all, [](const Both& both) { return !both; });
    if (all.empty()) return {nullptr, nullptr, 0};
    const auto gain = [](const Both& both) { return std::max(both.threads->median, both.processes->median); };
    const double best = gain(*std::ranges::max_element(all, {}, gain));
    return *std::ranges::find_if(all, [&](const Both& both) { return gain(both) >= nearly * best; });
}

std::optional<Advice> for_computing(const Parts& parts) {
    const Both gain = best_gain(parts, "cpu_bound");
    if (!gain) return std::nullopt;
    const double threads = gain.threads->median, processes = gain.processes->median;
    const std::string measured = counted(gain.at, Kind::threads) + " were " + times_in_words(threads) +
                                 " as fast as none, " + counted(gain.at, Kind::processes) + " " +
                                 times_in_words(processes);
    if (std::max(threads, processes) < 1.2) {
        return Advice{"computes", "one thread, here",
                      measured +
                          ": there is no CPU for more at once. Where there are more CPUs, the same program "
                          "will use them."};
    }
    if (processes > 1.2 * threads)
        return Advice{"computes", "mp::Pool, with " + counted(gain.at, Kind::processes), measured + "."};
    if (threads > 1.2 * processes)
        return Advice{"computes", "mt::Pool, with " + counted(gain.at, Kind::threads), measured + "."};
    return Advice{"computes",
                  "mt::Pool or mp::Pool, with " + quantity(gain.at, Unit::count) +
                      (gain.at == 1 ? " worker" : " workers") + ": either",
                  measured + ". Choose by what the work shares and whether it may crash."};
}

std::optional<Advice> for_waiting(const Parts& parts) {
    const Both gain = best_gain(parts, "io_bound");
    if (!gain) return std::nullopt;
    std::string because = counted(gain.at, Kind::threads) + " were " + times_in_words(gain.threads->median) +
                          " as fast as none, " + counted(gain.at, Kind::processes) + " " +
                          times_in_words(gain.processes->median);
    const Figure* const thread = find(parts, "starting", "memory", "thread");
    const Figure* const process = find(parts, "starting", "memory", "process, by forkserver");
    if (thread != nullptr && process != nullptr) {
        because += "; an idle thread has " + quantity(thread->median, Unit::bytes) +
                   " of memory, an idle process " + quantity(process->median, Unit::bytes);
    }
    const bool threads_do = gain.threads->median >= 0.8 * gain.processes->median;
    return Advice{"waits, for disks, networks or other programs",
                  threads_do ? "mt::Pool, with as many threads as there are waits at once" : "mp::Pool",
                  because + "."};
}

std::optional<Advice> for_short_tasks(const Parts& parts) {
    const Figure* const thread = find(parts, "starting", "time", "thread");
    const Figure* const process = find(parts, "starting", "time", "process, by forkserver");
    if (thread == nullptr || process == nullptr) return std::nullopt;
    return Advice{"comes in pieces shorter than " + quantity(20 * process->median, Unit::nanoseconds),
                  "a pool, not a worker for each",
                  "to start and join a process takes " + ns(process) + ", a thread " + ns(thread) +
                      "; a pool keeps them."};
}

std::optional<Advice> for_large_data(const Parts& parts) {
    constexpr double large = 0x1p26;
    const Figure* const thread = find(parts, "passing", "time", "to a thread", large);
    const Figure* const process = find(parts, "passing", "time", "to a process", large);
    const Figure* const shared = find(parts, "passing", "time", "to a process, in shared memory", large);
    if (thread == nullptr || process == nullptr || shared == nullptr) return std::nullopt;
    return Advice{"hands on large data",
                  "threads; or processes with mp::Array, or loan and borrow of mp::Queue",
                  "64 MiB take " + ns(process) + " to a process as a copy, " + ns(shared) +
                      " where it sees the same memory, and " + ns(thread) + " to a thread."};
}

std::optional<Advice> for_sharing(const Parts& parts) {
    const Figure* const threads = find(parts, "sharing", "cost", "threads, with a lock");
    const Figure* const processes = find(parts, "sharing", "cost", "processes, with a lock");
    const Figure* const lost = find(parts, "sharing", "lost", "threads, without a lock");
    if (threads == nullptr || processes == nullptr || lost == nullptr) return std::nullopt;
    return Advice{"changes what others see",
                  "threads with mt::Lock; or processes with mp::Value, which has its lock",
                  "an addition under a lock that two want took " + ns(threads) + " between threads and " +
                      ns(processes) + " between processes; without a lock " +
                      quantity(lost->median, Unit::percent) + " were lost."};
}

std::optional<Advice> for_crashes(const Parts& parts) {
    const Figure* const threads = find(parts, "crashing", "survivors", "one of four threads crashes");
    const Figure* const processes = find(parts, "crashing", "survivors", "one of four processes crashes");
    const Figure* const told = find(parts, "crashing", "told", "one of four processes crashes");
    if (threads == nullptr || processes == nullptr || told == nullptr) return std::nullopt;
    return Advice{"may crash, or runs code that you cannot vouch for", "processes: mp::run, or mp::Pool",
                  "of three other processes " + quantity(processes->median, Unit::count) +
                      " went on, of threads " + quantity(threads->median, Unit::count) +
                      "; the caller had the stack after " + ns(told) + "."};
}

}  // namespace

std::vector<Advice> advice_from(const Parts& parts) {
    std::vector<Advice> all;
    for (const auto& part_of_it :
         {for_computing, for_waiting, for_short_tasks, for_large_data, for_sharing, for_crashes}) {
        if (auto advice = part_of_it(parts)) all.push_back(*std::move(advice));
    }
    return all;
}

}  // namespace command::report
