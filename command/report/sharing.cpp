// Two workers add to one number: without a lock, and with one.
#include <atomic>
#include <chrono>
#include <mutex>
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
using namespace std::chrono_literals;

constexpr int workers = 2;
constexpr auto longest_wait = 60s;

// n = n + 1 as a processor does it: read, add, write. Reading and writing are atomic each, so that C++ says
// what happens; the three together are not, and what another one writes in between is lost.
template <class Barrier, class Number>
void add_without_lock(int times, Barrier start, Number number) {
    const std::atomic_ref n(number.value());
    start.wait(longest_wait);
    for (int i = 0; i < times; ++i) n.store(n.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

template <class Barrier, class Number, class Lock>
void add_with_lock(int times, Barrier start, Number number, Lock lock) {
    start.wait(longest_wait);
    for (int i = 0; i < times; ++i) {
        const std::scoped_lock guard(lock);
        number.value() += 1;
    }
}

/// What happened to the number, a value a round.
struct Outcome {
    std::vector<double> lost;  ///< percent of all that was added
    std::vector<double> took;  ///< nanoseconds for each addition

    void add(int times, int number, double nanoseconds) {
        const int all = workers * times;
        expect(number <= all, "more was added than there was to add");
        lost.push_back(100.0 * (all - number) / all);
        took.push_back(nanoseconds / all);
    }
};

template <class Worker>
double run_all(std::vector<Worker> all) {
    return nanoseconds([&] {
        for (auto& worker : all) worker.start();
        for (auto& worker : all) worker.join();
    });
}

/// Threads and processes differ in these names only.
template <class Worker, class Options, class Barrier, class Number, class Lock>
struct Sharing {
    static void without_lock(Outcome& outcome, int times) {
        const Barrier start(workers);
        const Number number;
        std::vector<Worker> all;
        for (int i = 0; i < workers; ++i)
            all.emplace_back(Options{.daemon = true}, add_without_lock<Barrier, Number>, times, start,
                             number);
        const double took = run_all(std::move(all));
        outcome.add(times, number.value(), took);
    }
    static void with_lock(Outcome& outcome, int times) {
        const Barrier start(workers);
        const Number number;
        const Lock lock;
        std::vector<Worker> all;
        for (int i = 0; i < workers; ++i)
            all.emplace_back(Options{.daemon = true}, add_with_lock<Barrier, Number, Lock>, times, start,
                             number, lock);
        const double took = run_all(std::move(all));
        expect(number.value() == workers * times,
               "with a lock " + std::to_string(workers * times - number.value()) + " additions were lost");
        outcome.add(times, number.value(), took);
    }
};
using ByThreads = Sharing<mt::Thread, mt::ThreadOptions, mt::Barrier, mt::RawValue<int>, mt::Lock>;
using ByProcesses = Sharing<mp::Process, mp::ProcessOptions, mp::Barrier, mp::RawValue<int>, mp::Lock>;

int plain = 0;  // of each process its own

int add_to_plain(int times) {
    plain += times;
    return plain;
}

std::string lost_in_words(const Figure& lost) {
    if (lost.median > 0) return quantity(lost.median, Unit::percent);
    return lost.high > 0 ? "none in most rounds and " + quantity(lost.high, Unit::percent) + " in others"
                         : "none, by luck";
}

void measure_sharing(Part& part, const Effort& effort) {
    // Long enough that both are at it together, however late the second one begins.
    const int times = effort.pick(60'000'000, 30'000'000);
    const int times_with_lock = effort.pick(2'000'000, 1'000'000);
    Outcome threads_without, threads_with, processes_without, processes_with;
    for (int round = 0; round < effort.rounds(); ++round) {
        ByThreads::without_lock(threads_without, times);
        ByThreads::with_lock(threads_with, times_with_lock);
        ByProcesses::without_lock(processes_without, times);
        ByProcesses::with_lock(processes_with, times_with_lock);
    }
    Chart lost{.name = "lost", .title = "Additions that were lost", .unit = Unit::percent};
    Chart cost{.name = "cost", .title = "Time of each addition", .unit = Unit::nanoseconds};
    const auto add = [&](const char* name, Kind kind, const Outcome& outcome) {
        lost.add(name, kind, figure_of(outcome.lost));
        cost.add(name, kind, figure_of(outcome.took));
    };
    add("threads, without a lock", Kind::threads, threads_without);
    add("threads, with a lock", Kind::threads, threads_with);
    add("processes, without a lock", Kind::processes, processes_without);
    add("processes, with a lock", Kind::processes, processes_with);
    part.add_chart(std::move(lost));
    part.add_chart(std::move(cost));

    const int in_child = mp::run(add_to_plain, times);
    expect(in_child == times && plain == 0, "a plain variable is shared with a process");

    const Figure by_threads = figure_of(threads_without.lost);
    const Figure by_processes = figure_of(processes_without.lost);
    part.headline = {quantity(by_threads.median, Unit::percent),
                     "of the additions by two threads lost without a lock, none with one"};
    part.means = "Without a lock threads lost " + lost_in_words(by_threads) +
                 ", processes in shared memory " + lost_in_words(by_processes) +
                 "; with a lock nothing was lost in any round. Whatever shares memory needs the lock, at " +
                 quantity(figure_of(threads_with.took).median, Unit::nanoseconds) +
                 " an addition between threads and " +
                 quantity(figure_of(processes_with.took).median, Unit::nanoseconds) +
                 " between processes when two want it all the time.";
    part.notes.push_back("A plain variable is not shared at all: a process that added " +
                         quantity(times, Unit::count) + " to it saw " + quantity(in_child, Unit::count) +
                         ", its parent still " + std::to_string(plain) + ".");
    if (mp::process_cpu_count() == 1) {
        part.notes.push_back(
            "Where one CPU does all the work a race is rarely lost: only when it changes workers between "
            "reading and writing.");
    } else if (by_threads.median == 0) {
        part.notes.push_back(
            "The two workers hardly ran at the same moment in these rounds: other programs had the CPUs.");
    }
}

}  // namespace

const Experiment sharing{"sharing", "What is shared",
                         "Threads share their variables, which invites races, so they need locks. Processes "
                         "have their own, and share only what is made for it.",
                         "Two workers add 1 to the same number, many times; the lock is mt::Lock or "
                         "mp::Lock, the processes' number an mp::RawValue.",
                         measure_sharing};

}  // namespace command::report
