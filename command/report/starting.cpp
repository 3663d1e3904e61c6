// What a worker costs before it has done anything: time to start and join it, and memory while it is idle.
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <chorus/chorus.hpp>

#include "experiment.hpp"
#include "quantities.hpp"
#include "statistics.hpp"

namespace command::report {
namespace {

namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;

void nothing() {}

template <class Worker>
Figure start_and_join(int count) {
    const auto once = [] {
        Worker worker(nothing);
        worker.start();
        worker.join();
    };
    once();  // what the first one finds missing is not its cost
    std::vector<double> took;
    for (int i = 0; i < count; ++i) took.push_back(nanoseconds(once));
    return figure_of(took);
}

// Its share of the memory of this machine: what several have together counts in parts.
double proportional_bytes(int pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
    double kilobytes = 0;
    for (std::string word; file >> word;) {
        if (word == "Pss:" && file >> kilobytes) return kilobytes * 1024;
    }
    throw std::runtime_error("/proc does not tell how much memory a process has");
}

template <class Semaphore, class Event>
void stay_idle(Semaphore begun, Event end) {
    begun.release();
    end.wait();
}

/// Workers that do nothing, for as long as it is in scope.
template <class Worker, class Options, class Semaphore, class Event>
class Idle {
public:
    explicit Idle(int count) {
        try {
            for (int i = 0; i < count; ++i) {
                Worker worker(Options{.daemon = true}, stay_idle<Semaphore, Event>, begun_, end_);
                worker.start();
                workers_.push_back(worker);
            }
            for (int i = 0; i < count; ++i) begun_.acquire();
        } catch (...) {
            finish();
            throw;
        }
    }
    ~Idle() { finish(); }
    Idle(const Idle&) = delete;
    Idle& operator=(const Idle&) = delete;

    const std::vector<Worker>& workers() const { return workers_; }

private:
    void finish() {
        end_.set();
        for (auto& worker : workers_) worker.join();
    }
    Semaphore begun_{0};
    Event end_;
    std::vector<Worker> workers_;
};
using IdleThreads = Idle<mt::Thread, mt::ThreadOptions, mt::Semaphore, mt::Event>;
using IdleProcesses = Idle<mp::Process, mp::ProcessOptions, mp::Semaphore, mp::Event>;

Figure memory_of_threads(int count, int rounds) {
    std::vector<double> each;
    for (int round = 0; round < rounds; ++round) {
        const double before = proportional_bytes(chorus::getpid());
        const IdleThreads idle(count);
        each.push_back(std::max(0.0, proportional_bytes(chorus::getpid()) - before) / count);
    }
    return figure_of(each);
}

Figure memory_of_processes(int count, int rounds) {
    std::vector<double> each;
    for (int round = 0; round < rounds; ++round) {
        const IdleProcesses idle(count);
        double sum = 0;
        for (const auto& process : idle.workers()) sum += proportional_bytes(process.pid());
        each.push_back(sum / count);
    }
    return figure_of(each);
}

void measure_times(Part& part, const Effort& effort) {
    const Figure thread = start_and_join<mt::Thread>(effort.pick(500, 100));
    const Figure process = start_and_join<mp::ForkServerProcess>(effort.pick(200, 30));
    const Figure fork = start_and_join<mp::ForkProcess>(effort.pick(200, 30));
    const Figure spawn = start_and_join<mp::SpawnProcess>(effort.pick(50, 10));
    auto& chart = part.add_chart(
        {.name = "time", .title = "To start a worker and to join it", .unit = Unit::nanoseconds});
    chart.add("thread", Kind::threads, thread);
    chart.add("process, by forkserver", Kind::processes, process);
    chart.add("process, by fork", Kind::processes, fork);
    chart.add("process, by spawn", Kind::processes, spawn);

    part.headline = {
        quantity(process.median, Unit::nanoseconds),
        "to start and join a process; a thread takes " + quantity(thread.median, Unit::nanoseconds)};
    part.means =
        "A process costs " + times_in_words(process.median / thread.median) + " what a thread costs, but " +
        quantity(process.median, Unit::nanoseconds) + " is no reason against one that works for more than " +
        quantity(20 * process.median, Unit::nanoseconds) + "; for shorter work a pool keeps its workers.";
}

void measure_memory(Part& part, const Effort& effort) {
    const int count = effort.pick(50, 20);
    auto& chart =
        part.add_chart({.name = "memory", .title = "Memory of an idle worker", .unit = Unit::bytes});
    const Figure thread = memory_of_threads(count, effort.rounds());
    chart.add("thread", Kind::threads, thread);
    const Figure process = memory_of_processes(count, effort.rounds());
    chart.add("process, by forkserver", Kind::processes, process);
    part.means += " Idle, a process has " + quantity(process.median, Unit::bytes) +
                  " of memory to itself and a thread " + quantity(thread.median, Unit::bytes) +
                  ", so a hundred processes take " + quantity(100 * process.median, Unit::bytes) + ".";
    part.notes.push_back("Memory is the proportional share (PSS) with " + std::to_string(count) +
                         " of them alive.");
}

void measure_starting(Part& part, const Effort& effort) {
    measure_times(part, effort);
    measure_memory(part, effort);
}

}  // namespace

const Experiment starting{
    "starting", "What a worker costs",
    "Threads are light: they cost less to make and to keep than processes, which get memory of their own.",
    "Starting and joining a worker that does nothing, one after another; the memory of many that do nothing.",
    measure_starting};

}  // namespace command::report
