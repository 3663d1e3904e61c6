// One measured row, as a line of JSON, and the medians it is made of.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

namespace bench {

using Clock = std::chrono::steady_clock;

inline double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values.empty() ? 0 : values[values.size() / 2];
}

/// Half the distance between the quartiles, as a share of the median: how noisy the row was.
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

/// `ratio` is ours to the rival's, of the same quantity (nanoseconds, or bytes where the row says so).
inline void emit(const std::string& subject, const std::string& row, double ours, const std::string& rival_name, double rival, double ratio, double noise) {
    std::printf("{\"subject\": \"%s\", \"row\": \"%s\", \"ns\": %.1f, \"rival\": \"%s\", \"rival_ns\": %.1f, \"ratio\": %.3f, \"spread\": %.2f}\n",
                subject.c_str(), row.c_str(), ours, rival_name.c_str(), rival, ratio, noise);
    std::fflush(stdout);
}

/// Runs both by turns, so that a machine which changes its speed on the way changes it for both. Each
/// turn repeats its work `batch` times: what one leaves to be cleared away after it returned (the rest of
/// a thread's end) is then paid by itself and not by the other.
template <class Ours, class Rival>
void compare(const std::string& subject, const std::string& row, Ours&& ours_once, const std::string& rival_name, Rival&& rival_once, int rounds,
             int batch = 1) {
    const auto ours = [&] {
        for (int i = 0; i < batch; ++i) ours_once();
    };
    const auto rival = [&] {
        for (int i = 0; i < batch; ++i) rival_once();
    };
    std::vector<double> mine;
    std::vector<double> theirs;
    ours();
    rival();
    for (int i = 0; i < rounds; ++i) {
        // Who goes first changes: each leaves the CPUs and caches to the other in its own way.
        if (i % 2 == 0) mine.push_back(nanoseconds(ours));
        theirs.push_back(nanoseconds(rival));
        if (i % 2 != 0) mine.push_back(nanoseconds(ours));
    }
    emit(subject, row, median(mine) / batch, rival_name, median(theirs) / batch, median(mine) / median(theirs), spread(mine));
}

struct Subject {
    const char* name;
    std::function<double()> measure;  ///< nanoseconds, of whatever the row counts
};

/// The same for subjects that measure themselves. Each rival is a line.
inline void race(const std::string& subject, const std::string& row, const Subject& ours, const std::vector<Subject>& rivals, int rounds) {
    std::vector<double> mine;
    std::vector<std::vector<double>> theirs(rivals.size());
    for (int round = 0; round < rounds; ++round) {
        if (round % 2 == 0) mine.push_back(ours.measure());
        for (std::size_t i = 0; i < rivals.size(); ++i) theirs[i].push_back(rivals[i].measure());
        if (round % 2 != 0) mine.push_back(ours.measure());
    }
    for (std::size_t i = 0; i < rivals.size(); ++i) {
        emit(subject, row, median(mine), rivals[i].name, median(theirs[i]), median(mine) / median(theirs[i]), spread(mine));
    }
}

}  // namespace bench
