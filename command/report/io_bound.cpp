// Work that waits: does it matter what waits?
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "experiment.hpp"
#include "quantities.hpp"
#include "scaling.hpp"

namespace command::report {
namespace {

constexpr int waits = 32;

// Stands for a disk, a network, another program: the CPU has nothing to do meanwhile.
int wait_for(int milliseconds) {
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    return milliseconds;
}

void measure_io_bound(Part& part, const Effort& effort) {
    const int milliseconds = effort.pick(10, 2);
    measure_scaling(part, {wait_for, std::vector<int>(waits, milliseconds), waits * milliseconds, waits},
                    {1, 2, 4, 8, 16, waits}, effort.rounds());

    const int workers = most_measured(part, Kind::threads, waits);
    const Figure* const gain = gain_of(part, Kind::threads, workers);
    if (gain == nullptr) return;  // the failure says why
    const auto time = [&](const char* series, int at) {
        return quantity(part.find("time", series, at)->median, Unit::nanoseconds);
    };
    part.headline = {
        quantity(gain->median, Unit::times),
        "work that waits, on " + counted(workers, Kind::threads) + ", with whatever number of CPUs"};
    part.means = std::to_string(waits) + " waits of " + std::to_string(milliseconds) + " ms took " +
                 time("no workers", 1) + " one after another and " + time("threads", workers) + " on " +
                 counted(workers, Kind::threads);
    if (gain_of(part, Kind::processes, workers) != nullptr)
        part.means += ", " + time("processes", workers) + " on " + counted(workers, Kind::processes);
    part.means += ": who waits needs no CPU, so threads do for it, and as many as there are waits at once.";
    part.notes.push_back("A wait is a sleep, in place of a disk or a network that answers after that time.");
}

}  // namespace

const Experiment io_bound{
    "io_bound", "Work that waits",
    "Threads suit I/O-bound work. Processes can do it too, but cost more to start and to talk to.",
    "32 waits of the same length, by more and more workers.", measure_io_bound};

}  // namespace command::report
