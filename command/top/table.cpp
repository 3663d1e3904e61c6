#include "table.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include <unistd.h>

#include "columns.hpp"

namespace command::top {
namespace {

// Text in cells: numbers to the right, all else to the left.
class Rows {
public:
    explicit Rows(std::vector<std::string> head) : rows_{std::move(head)} {}
    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
    std::vector<std::string> lines() const {
        std::vector<std::size_t> widths(rows_.front().size(), 0);
        for (const auto& row : rows_) {
            for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
        }
        std::vector<std::string> lines;
        for (const auto& row : rows_) {
            std::string line;
            for (std::size_t i = 0; i < row.size(); ++i) {
                const std::string space(widths[i] - width_of(row[i]), ' ');
                const bool is_last = i + 1 == row.size();
                line += i == 0 || is_last ? row[i] + (is_last ? "" : space) : space + row[i];
                if (!is_last) line += "  ";
            }
            lines.push_back(line);
        }
        return lines;
    }

private:
    std::vector<std::vector<std::string>> rows_;
};

std::string with_unit(double value, double step, const char* units) {
    std::size_t unit = 0;
    for (; value >= step && units[unit + 1] != '\0'; ++unit) value /= step;
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), unit > 0 && value < 10 ? "%.1f" : "%.0f", value);
    return units[unit] == ' ' ? text.data() : std::string(text.data()) + units[unit];
}
std::string count(std::uint64_t value) {
    return value < 100'000 ? std::to_string(value) : with_unit(static_cast<double>(value), 1000, " kMGT");
}
std::string bytes(std::uint64_t value) {
    return with_unit(static_cast<double>(value) / 1024, 1024, "KMGT") + "iB";
}
std::string rate(double per_second) { return with_unit(per_second, 1000, " kMGT") + "/s"; }

std::string state_of(const Worker& worker) {
    if (worker.has_ended()) return "ended";
    switch (worker.state) {
        case 'T':
        case 't': return "stopped";
        case 'R': return "runs";
        default: return worker.is_busy ? "in a task" : "waits";
    }
}

template <class T, class Key>
const T* find(const std::vector<T>& all, Key T::*key, const T& like) {
    const auto found = std::ranges::find(all, like.*key, key);
    return found == all.end() ? nullptr : &*found;
}

std::string limit(std::uint64_t items) { return items == 0 ? "-" : count(items); }

Rows workers(const Program& now, const Program& before, double seconds) {
    static const auto ticks_per_second = static_cast<double>(::sysconf(_SC_CLK_TCK));
    Rows rows({"PROCESS", "PID", "CPU", "MEMORY", "THREADS", "TASKS", "STATE"});
    for (const auto& worker : now.workers) {
        const auto* const then = seconds > 0 ? find(before.workers, &Worker::pid, worker) : nullptr;
        const bool has_share =
            then != nullptr && then->cpu_ticks <= worker.cpu_ticks;  // else its number was another one's
        const std::string cpu =
            has_share ? std::to_string(std::lround(static_cast<double>(worker.cpu_ticks - then->cpu_ticks) /
                                                   ticks_per_second / seconds * 100)) +
                            "%"
                      : "-";
        const bool is_at_tasks = worker.tasks_done > 0 || worker.is_busy;
        rows.add({worker.name, std::to_string(worker.pid), cpu, bytes(worker.memory),
                  std::to_string(worker.threads), is_at_tasks ? count(worker.tasks_done) : "-",
                  state_of(worker)});
    }
    return rows;
}

Rows pools(const Program& now, const Program& before, double seconds) {
    Rows rows({"POOL", "OF", "WORKERS", "DONE", "UNFINISHED", "RATE"});
    for (const auto& pool : now.pools) {
        const auto then = std::ranges::find_if(
            before.pools, [&](const Pool& each) { return each.pid == pool.pid && each.name == pool.name; });
        const bool has_rate = seconds > 0 && then != before.pools.end() && then->done() <= pool.done();
        rows.add({pool.name, pool.has_threads ? "threads" : "processes", count(pool.workers),
                  count(pool.done()), count(pool.unfinished),
                  has_rate ? rate(static_cast<double>(pool.done() - then->done()) / seconds) : "-"});
    }
    return rows;
}

Rows queues(const Program& now, const Program& before, double seconds) {
    Rows rows({"QUEUE", "ITEMS", "ROOM FOR", "PUT", "GOT", "HELD BY"});
    for (std::size_t i = 0; i < now.queues.size(); ++i) {
        const auto& queue = now.queues[i];
        const auto* const then = seconds > 0 ? find(before.queues, &Queue::name, queue) : nullptr;
        const auto per_second = [&](std::uint32_t Queue::*counted) {
            return then == nullptr ? "-"
                                   : rate(static_cast<double>(queue.*counted - then->*counted) / seconds);
        };
        rows.add(
            {(queue.is_pipe ? "pipe " : "queue ") + std::to_string(i + 1) +
                 (queue.is_shut_down ? " (shut)" : ""),
             count(queue.size()), limit(queue.max_items), per_second(&Queue::put), per_second(&Queue::got),
             std::to_string(queue.held_by.size()) + (queue.held_by.size() == 1 ? " process" : " processes")});
    }
    return rows;
}

}  // namespace

std::vector<std::string> table(const Program& now, const Program& before, double seconds, std::size_t columns,
                               std::size_t most_lines) {
    std::vector<std::string> lines;
    const auto add = [&](const Rows& rows) {
        if (!lines.empty()) lines.emplace_back();
        for (auto& line : rows.lines()) lines.push_back(std::move(line));
    };
    if (!now.pools.empty()) add(pools(now, before, seconds));
    if (!now.queues.empty()) add(queues(now, before, seconds));
    add(workers(now, before, seconds));
    if (!now.uses_chorus)
        lines.insert(
            lines.begin(),
            {"Nothing of Chorus's is shared by this program yet: only its processes can be shown.", ""});
    if (lines.size() > most_lines && most_lines > 0) {
        const std::size_t hidden = lines.size() - (most_lines - 1);
        lines.resize(most_lines - 1);
        lines.push_back("and " + std::to_string(hidden) + " lines more");
    }
    for (auto& line : lines) line = cut(line, columns);
    return lines;
}

}  // namespace command::top
