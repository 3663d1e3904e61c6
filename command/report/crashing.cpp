// A worker crashes: what becomes of the others?
#include <chrono>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include <sys/resource.h>

#include <chorus/chorus.hpp>

#include "experiment.hpp"
#include "quantities.hpp"
#include "statistics.hpp"

namespace command::report {
namespace {

namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;
using namespace std::chrono_literals;

constexpr int others = 3;
constexpr auto longest_wait = 60s;

/// How the workers of one round agree, and which of them got to the end.
struct Stage {
    mp::Semaphore ready{0};
    mp::Event crash_is_over;
    mp::RawArray<int> ended = mp::RawArray<int>(others);
};

struct Entry {
    int value;
};

// Kept out of line, and volatile lest the compiler reads for it, so that an optimised build shows both
// functions in the stack.
[[gnu::noinline]] int value_of(const volatile Entry* entry) { return entry->value; }

// Once all others are at work.
[[gnu::noinline]] int look_up(mp::Semaphore ready) {
    for (int i = 0; i < others; ++i) ready.acquire();
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);    // it is meant to crash: a core file of that is of no use
    Entry* volatile nowhere = nullptr;  // volatile, lest the compiler foresees the crash
    return 1 + value_of(nowhere);
}

// Ends its work after the crash, if it still lives then.
void work(mp::Semaphore ready, mp::Event crash_is_over, mp::RawArray<int> ended, std::size_t place) {
    ready.release();
    if (crash_is_over.wait(longest_wait)) ended[place] = 1;
}

// In a process that is there to be lost.
void work_in_threads(mp::Semaphore ready, mp::Event crash_is_over, mp::RawArray<int> ended) {
    std::vector<mt::Thread> threads;
    for (std::size_t i = 0; i < others; ++i) threads.emplace_back(work, ready, crash_is_over, ended, i);
    threads.emplace_back(look_up, ready);
    for (auto& thread : threads) thread.start();
    for (auto& thread : threads) thread.join();
}

/// What is known of a crash.
struct Crash {
    int survivors = 0;
    double told = 0;  ///< nanoseconds from the call until its caller knew
    std::string what;
    std::string stack;
};

template <class Call>
Crash crash_of(Call&& call) {
    std::optional<Crash> crash;
    const double told = nanoseconds([&] {
        try {
            call();
        } catch (const chorus::WorkerDied& died) {
            crash = Crash{0, 0, died.what(), died.stack()};
        }
    });
    expect(crash.has_value(), "a worker that should have crashed did not");
    crash->told = told;
    return *crash;
}

// Anything else would be a fault of Chorus, and no figure.
int survivors_of(const Stage& stage, int expected) {
    const int survivors = std::accumulate(stage.ended.begin(), stage.ended.end(), 0);
    expect(survivors == expected, std::to_string(survivors) + " of " + std::to_string(others) +
                                      " workers survived, where " + std::to_string(expected) + " should");
    return survivors;
}

Crash crash_in_a_thread() {
    Stage stage;
    Crash crash = crash_of([&] {
        mp::run({.timeout = longest_wait}, work_in_threads, stage.ready, stage.crash_is_over, stage.ended);
    });
    stage.crash_is_over.set();
    crash.survivors = survivors_of(stage, 0);
    return crash;
}

Crash crash_in_a_process() {
    Stage stage;
    std::vector<mp::Process> processes;
    for (std::size_t i = 0; i < others; ++i) {
        processes.emplace_back(mp::ProcessOptions{.daemon = true}, work, stage.ready, stage.crash_is_over,
                               stage.ended, i);
        processes.back().start();
    }
    Crash crash = crash_of([&] { mp::run({.timeout = longest_wait}, look_up, stage.ready); });
    stage.crash_is_over.set();
    for (auto& process : processes) process.join(longest_wait);
    crash.survivors = survivors_of(stage, others);
    return crash;
}

Figure survivors(const std::vector<Crash>& crashes) {
    std::vector<double> values;
    for (const auto& crash : crashes) values.push_back(crash.survivors);
    return figure_of(values);
}

Figure told(const std::vector<Crash>& crashes) {
    std::vector<double> values;
    for (const auto& crash : crashes) values.push_back(crash.told);
    return figure_of(values);
}

void measure_crashing(Part& part, const Effort& effort) {
    std::vector<Crash> in_threads;
    std::vector<Crash> in_processes;
    for (int round = 0; round < effort.rounds(); ++round) {
        in_threads.push_back(crash_in_a_thread());
        in_processes.push_back(crash_in_a_process());
    }
    auto& chart = part.add_chart(
        {.name = "survivors",
         .title = "Of " + std::to_string(others) + " other workers, those that got to the end of their work",
         .unit = Unit::count});
    chart.add("one of four threads crashes", Kind::threads, survivors(in_threads));
    chart.add("one of four processes crashes", Kind::processes, survivors(in_processes));
    auto& time = part.add_chart({.name = "told",
                                 .title = "From the call until its caller knows of the crash",
                                 .unit = Unit::nanoseconds});
    time.add("one of four threads crashes", Kind::threads, told(in_threads));
    time.add("one of four processes crashes", Kind::processes, told(in_processes));

    const double of_threads = survivors(in_threads).median;
    const double of_processes = survivors(in_processes).median;
    part.headline = {quantity(of_processes, Unit::count) + " of " + std::to_string(others),
                     "other processes survive a crash; of threads " + quantity(of_threads, Unit::count)};
    part.means = "A thread that crashed took its process along: " + quantity(of_threads, Unit::count) +
                 " of " + std::to_string(others) +
                 " others ended their work. A process that crashed was alone in it: " +
                 quantity(of_processes, Unit::count) + " of " + std::to_string(others) +
                 " went on, and who had called it got an exception with the stack, " +
                 quantity(told(in_processes).median, Unit::nanoseconds) + " after the call.";
    part.notes.push_back(
        "The threads were those of a process made for that; this program has survived them.");
    part.output = in_processes.back().what + "\n" + in_processes.back().stack;
}

}  // namespace

const Experiment crashing{
    "crashing", "When one crashes",
    "A thread that fails may take the whole process with it; a process that crashes leaves the others alone.",
    "Three workers are at work when a fourth reads through a null pointer; whether they get to the end.",
    measure_crashing};

}  // namespace command::report
