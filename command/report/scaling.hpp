// Whether more workers do the same work in less time, as threads and as processes.
#pragma once

#include <vector>

#include "experiment.hpp"

namespace command::report {

/// Work that can be shared out: a call for each item.
struct Job {
    int (*call)(int item);
    std::vector<int> items;
    long long sum;   ///< of all answers, when they are right
    double ceiling;  ///< more times as fast than this it cannot become, by whatever number of workers
};

/// Adds the charts "time" and "gain", with series "threads" and "processes" at each number of workers, and
/// "no workers" at 1. What cannot have so many workers is left out, and the part's failure says why.
void measure_scaling(Part& part, const Job& job, const std::vector<int>& numbers_of_workers, int rounds);

/// The largest number of workers, up to `limit`, with which this kind was measured; 0 if there is none.
int most_measured(const Part& part, Kind kind, int limit);
/// How many times as fast as without workers these were; nullptr if that was not measured.
const Figure* gain_of(const Part& part, Kind kind, int workers);

}  // namespace command::report
