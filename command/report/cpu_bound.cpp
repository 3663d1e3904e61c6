// Work that computes: do more workers do it faster?
#include <algorithm>
#include <cmath>
#include <string>

#include <chorus/chorus.hpp>

#include "experiment.hpp"
#include "quantities.hpp"
#include "scaling.hpp"

namespace command::report {
namespace {

namespace mp = chorus::multiprocessing;

constexpr int step = 10'000;
constexpr int primes_below_two_million = 148'933;
constexpr int primes_below_half_a_million = 41'538;
constexpr int most_workers = 64;

int count_primes(int from) {
    int found = 0;
    for (int i = std::max(from, 2); i < from + step; ++i) {
        bool prime = i % 2 != 0 || i == 2;
        for (int divisor = 3; prime && divisor * divisor <= i; divisor += 2) prime = i % divisor != 0;
        found += prime ? 1 : 0;
    }
    return found;
}

// 1, 2, 4 … up to all usable CPUs, and twice as many, where nothing more can be gained.
std::vector<int> numbers_of_workers(int usable) {
    std::vector<int> numbers;
    for (int n = 1; n < usable && n <= most_workers; n *= 2) numbers.push_back(n);
    if (usable <= most_workers) numbers.push_back(usable);
    if (2 * usable <= most_workers) numbers.push_back(2 * usable);
    return numbers;
}

std::string cpus_in_words(int usable, int all) {
    if (all == 1) return "This machine has one CPU";
    if (usable == 1)
        return "Only one of this machine's " + std::to_string(all) +
               " CPUs may be used here (by its affinity, or a quota of its control group)";
    return std::to_string(usable) + (usable == all ? "" : " of " + std::to_string(all)) + " CPUs can be used";
}

std::string meaning(double by_threads, double by_processes, int workers, int usable) {
    const std::string cpus = cpus_in_words(usable, mp::cpu_count());
    if (usable == 1)
        return cpus +
               ": more workers cannot compute faster, whatever they are. One thread next to the main one "
               "reached " +
               quantity(by_threads, Unit::times) + ", one process " + quantity(by_processes, Unit::times) +
               ".";
    const std::string both = cpus + ", and " + counted(workers, Kind::threads) + " were " +
                             times_in_words(by_threads) + " as fast as no workers, " +
                             counted(workers, Kind::processes) + " " + times_in_words(by_processes) + ": ";
    if (std::min(by_threads, by_processes) >= 0.75 * workers) {
        return both +
               "both kinds use all of them. The lock that holds back Python's threads does not exist in C++.";
    }
    if (std::abs(by_threads - by_processes) < 0.2 * std::max(by_threads, by_processes)) {
        return both +
               "both kinds alike, but less than that many CPUs promise. Others may be using them, two of "
               "them may be one core, or they slow down "
               "when all are busy; it is not a lock of threads.";
    }
    return both +
           "one kind was held back in these rounds, by something else that ran on the machine or by its "
           "scheduler; nothing in C++ holds back threads.";
}

void measure_cpu_bound(Part& part, const Effort& effort) {
    const int limit = effort.pick(2'000'000, 500'000);
    std::vector<int> items;
    for (int from = 0; from < limit; from += step) items.push_back(from);
    const int usable = mp::process_cpu_count();
    const auto numbers = numbers_of_workers(usable);
    measure_scaling(part,
                    {count_primes, items, effort.pick(primes_below_two_million, primes_below_half_a_million),
                     double(usable)},
                    numbers, effort.rounds());

    const int workers = most_measured(part, Kind::threads, usable);
    const Figure* const by_threads = gain_of(part, Kind::threads, workers);
    const Figure* const by_processes = gain_of(part, Kind::processes, workers);
    if (by_threads == nullptr || by_processes == nullptr) return;  // the failure says why
    part.headline = {quantity(by_processes->median, Unit::times),
                     "work that computes, on " + counted(workers, Kind::processes) + "; on " +
                         counted(workers, Kind::threads) + " " + quantity(by_threads->median, Unit::times)};
    part.means = meaning(by_threads->median, by_processes->median, workers, usable);
    part.notes.push_back("Counted are the primes below " + quantity(limit, Unit::count) + ", in pieces of " +
                         quantity(step, Unit::count) + ", a task of a pool each.");
}

}  // namespace

const Experiment cpu_bound{"cpu_bound", "Work that computes",
                           "Threads are not for CPU-bound work, because Python's interpreter lock lets one "
                           "run at a time; processes are.",
                           "The same computation by more and more workers.", measure_cpu_bound};

}  // namespace command::report
