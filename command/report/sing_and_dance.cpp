// The article's two functions: one after the other, in two threads, in two processes.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <chorus/chorus.hpp>

#include "experiment.hpp"
#include "quantities.hpp"
#include "statistics.hpp"

namespace command::report {
namespace {

namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;

constexpr int steps = 3;

// Each of both counts the other's steps too: which sings and which dances is only a matter of names.
void perform(int milliseconds, mp::RawValue<int> steps_done) {
    for (int i = 0; i < steps; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
        std::atomic_ref(steps_done.value()).fetch_add(1);
    }
}
void sing(int milliseconds, mp::RawValue<int> steps_done) { perform(milliseconds, std::move(steps_done)); }
void dance(int milliseconds, mp::RawValue<int> steps_done) { perform(milliseconds, std::move(steps_done)); }

template <class Worker, class Options>
void together(int milliseconds, const mp::RawValue<int>& steps_done) {
    Worker first(Options{.daemon = true}, sing, milliseconds, steps_done);
    Worker second(Options{.daemon = true}, dance, milliseconds, steps_done);
    first.start();
    second.start();
    first.join();
    second.join();
}

void one_after_the_other(int milliseconds, const mp::RawValue<int>& steps_done) {
    sing(milliseconds, steps_done);
    dance(milliseconds, steps_done);
}

double timed(void (*way)(int, const mp::RawValue<int>&), int milliseconds) {
    const mp::RawValue<int> steps_done;
    const double took = nanoseconds([&] { way(milliseconds, steps_done); });
    expect(steps_done.value() == 2 * steps, "sing and dance made " + std::to_string(steps_done.value()) +
                                                " steps instead of " + std::to_string(2 * steps));
    return took;
}

void measure_sing_and_dance(Part& part, const Effort& effort) {
    const int milliseconds = effort.pick(100, 20);
    constexpr auto threads = together<mt::Thread, mt::ThreadOptions>;
    constexpr auto processes = together<mp::Process, mp::ProcessOptions>;
    timed(processes, 1);  // the first process of all has to start what the others come from
    std::vector<double> alone;
    std::vector<double> in_threads;
    std::vector<double> in_processes;
    for (int round = 0; round < effort.rounds(); ++round) {
        alone.push_back(timed(one_after_the_other, milliseconds));
        in_threads.push_back(timed(threads, milliseconds));
        in_processes.push_back(timed(processes, milliseconds));
    }
    auto& chart =
        part.add_chart({.name = "time", .title = "Until both have ended", .unit = Unit::nanoseconds});
    chart.add("one after the other", Kind::neither, figure_of(alone));
    chart.add("two threads", Kind::threads, figure_of(in_threads));
    chart.add("two processes", Kind::processes, figure_of(in_processes));

    const double before = figure_of(alone).median;
    const double by_threads = figure_of(in_threads).median;
    const double by_processes = figure_of(in_processes).median;
    const double gain = before / std::max(by_threads, by_processes);
    part.headline = {quantity(gain, Unit::times),
                     "as fast: sing and dance at once, in threads or in processes"};
    part.means =
        "Both take " + quantity(before, Unit::nanoseconds) + " one after the other, " +
        quantity(by_threads, Unit::nanoseconds) + " as two threads and " +
        quantity(by_processes, Unit::nanoseconds) + " as two processes: " +
        (gain > 1.7
             ? "they run at once, as the article says, and which kind they are makes no difference here."
             : "less at once than the article says; this machine was busy with something else.");
    part.notes.push_back("Each makes " + std::to_string(steps) + " steps of " + std::to_string(milliseconds) +
                         " ms, as in the article's §1.1 and §2.1, where a step takes 500 ms or a second.");
}

}  // namespace

const Experiment sing_and_dance{
    "sing_and_dance", "Two things at once",
    "Two functions of 1.5 s each take 3 s one after the other, and 1.5 s when each has a process (or a "
    "thread) of its own.",
    "sing and dance, each with three steps and a pause in each, until both have ended.",
    measure_sing_and_dance};

}  // namespace command::report
