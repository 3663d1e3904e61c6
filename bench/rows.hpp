// A measured row, as a line of JSON: ours, and beside it whatever else was measured in the same run, round by
// round.
//
//     {"subject": …, "row": …, "unit": "ns" or "bytes", "rounds": …,
//      "ours": {"name": …, "median": …, "spread": …},
//      "others": [{"name": …, "kind": "rival" or "limit", "median": …, "spread": …}, …]}
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace bench {

using Clock = std::chrono::steady_clock;

inline double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values.empty() ? 0 : values[values.size() / 2];
}

/// Half the distance between the quartiles, as a share of the median: how noisy it was.
inline double spread(std::vector<double> values) {
    if (values.size() < 4) return 0;
    std::sort(values.begin(), values.end());
    return (values[values.size() * 3 / 4] - values[values.size() / 4]) / 2 / values[values.size() / 2];
}

template <class Work>
double nanoseconds(Work&& work) {
    const auto begin = Clock::now();
    work();
    return std::chrono::duration<double, std::nano>(Clock::now() - begin).count();
}

/// A rival is what a program could use in our place; a limit is what the machine itself gives to code
/// that does the least that must be done.
enum class Kind { ours, rival, limit };

struct Figures {
    std::string name;
    Kind kind = Kind::ours;
    std::vector<double> values;  ///< one of each round
};

inline std::string json(const Figures& figures) {
    char numbers[96];
    std::snprintf(numbers, sizeof numbers, "\"median\": %.1f, \"spread\": %.3f}", median(figures.values),
                  spread(figures.values));
    const char* const kind = figures.kind == Kind::ours    ? ""
                             : figures.kind == Kind::rival ? "\"kind\": \"rival\", "
                                                           : "\"kind\": \"limit\", ";
    return "{\"name\": \"" + figures.name + "\", " + kind + numbers;
}

/// All are of the same quantity.
inline void print(const std::string& subject, const std::string& row, const Figures& ours,
                  const std::vector<Figures>& others, const char* unit = "ns") {
    std::string rest;
    for (const auto& each : others) rest += (rest.empty() ? "" : ", ") + json(each);
    std::printf(
        "{\"subject\": \"%s\", \"row\": \"%s\", \"unit\": \"%s\", \"rounds\": %zu, \"ours\": %s, \"others\": "
        "[%s]}\n",
        subject.c_str(), row.c_str(), unit, ours.values.size(), json(ours).c_str(), rest.c_str());
    std::fflush(stdout);
}

struct Contender {
    std::string name;
    std::function<double()> measure;  ///< nanoseconds, of whatever the row counts
};

struct Rival : Contender {};
struct Limit : Contender {};
struct Other : Contender {
    Other(Rival rival) : Contender(std::move(rival)), kind(Kind::rival) {}
    Other(Limit limit) : Contender(std::move(limit)), kind(Kind::limit) {}
    Kind kind;
};

/// Runs all by turns, so that a machine that changes its speed meanwhile changes it for all. The order
/// changes: each contender leaves the CPUs and caches to the next in its own way.
inline void race(const std::string& subject, const std::string& row, const Contender& ours,
                 const std::vector<Other>& others, int rounds) {
    Figures mine{ours.name, Kind::ours, {}};
    std::vector<Figures> theirs;
    for (const auto& each : others) theirs.push_back({each.name, each.kind, {}});
    for (int round = 0; round < rounds; ++round) {
        if (round % 2 == 0) mine.values.push_back(ours.measure());
        for (std::size_t i = 0; i < others.size(); ++i) theirs[i].values.push_back(others[i].measure());
        if (round % 2 != 0) mine.values.push_back(ours.measure());
    }
    print(subject, row, mine, theirs);
}

/// A contender that does something `batch` times a turn, after a first time that does not count. What one
/// leaves to be cleared away after it returned (the rest of a thread's end) is then paid by itself and not by
/// the next.
template <class Work>
Contender doing(std::string name, Work work, int batch = 1) {
    work();
    return {std::move(name), [work = std::move(work), batch]() mutable {
                return nanoseconds([&] {
                           for (int i = 0; i < batch; ++i) work();
                       }) /
                       batch;
            }};
}

}  // namespace bench
