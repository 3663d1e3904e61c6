// train: which hyper-parameters does a small classifier learn best with?
//
//     train fashion-mnist --workers 4 --with processes
//
// Each trial trains a network of its own and computes from its first moment to its last. The pictures lie in
// shared memory once: a trial gets a few numbers and gives back a few.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <chorus/chorus.hpp>

#include "data.hpp"
#include "trial.hpp"

namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;
using namespace train;

namespace {

constexpr int most_workers = 1'000;
constexpr int interrupted_exit = 130;  // as a shell says it of a program that Ctrl-C ended
constexpr const char* processes = "processes";
constexpr const char* threads = "threads";

struct Options {
    std::string directory;
    int workers = mp::process_cpu_count();
    std::string with = processes;
    std::string start_method = "forkserver";
    int epochs = 5;
    bool quick = false;
};

struct Tried {
    Trial trial;
    Score score;
};

struct Outcome {
    std::vector<Tried> tried;
    std::vector<std::string> failures;
    std::size_t left = 0;  // when Ctrl-C came
    double seconds = 0;
};

volatile std::sig_atomic_t interrupted = 0;

// The first one stops the trials and shows what there is, the second ends the program as ever.
void stop_on_interrupt() {
    struct sigaction action {};
    action.sa_handler = [](int) {
        interrupted = 1;
        stop_trials();
    };
    action.sa_flags = static_cast<int>(SA_RESTART | SA_RESETHAND);
    ::sigaction(SIGINT, &action, nullptr);
}

std::string name_of(const Trial& trial) {
    char text[64];
    std::snprintf(text, sizeof text, "%zu units, rate %g", trial.hidden, static_cast<double>(trial.rate));
    return text;
}

// Pool is mp::Pool or mt::Pool.
template <class Pool>
Outcome try_all(Pool& pool, const std::vector<Trial>& trials, const chorus::ShowProgress& progress) {
    using namespace std::chrono_literals;
    const auto begin = std::chrono::steady_clock::now();
    Outcome outcome;
    chorus::ImapOptions how{.progress = progress};
    how.buffersize = trials.size() + 1;  // none waits for one before it to be asked for
    auto scores = pool.imap(how, run_trial, trials);
    bool is_stopped = false;
    for (std::size_t i = 0; i < trials.size();) {  // the scores come in the order of the trials
        if (interrupted != 0 && !std::exchange(is_stopped, true)) pool.terminate();
        try {
            outcome.tried.push_back({trials[i], *scores.next(100ms)});
            ++i;
        } catch (const chorus::TimedOut&) {  // not yet
        } catch (const std::exception& error) {
            if (interrupted != 0) {
                ++outcome.left;
            } else {
                outcome.failures.push_back(name_of(trials[i]) + ": " + error.what());
            }
            ++i;
        }
    }
    outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return outcome;
}

void show_table(std::vector<Tried> tried) {
    std::ranges::stable_sort(tried, std::ranges::greater{},
                             [](const Tried& one) { return one.score.accuracy; });
    std::printf("accuracy   hidden units   rate   seconds\n");
    for (const auto& [trial, score] : tried) {
        std::printf("%7.2f%%   %12zu   %4g   %7.2f\n", 100 * score.accuracy, trial.hidden,
                    static_cast<double>(trial.rate), score.seconds);
    }
    if (!tried.empty()) {
        std::printf("train: best: %s: %.2f%% of the test's pictures right\n",
                    name_of(tried.front().trial).c_str(), 100 * tried.front().score.test_accuracy);
    }
}

// The same short trials one after the other here, and by the pool, whose workers have begun already.
template <class Pool>
void compare(Pool& pool, const Options& options) {
    std::vector<Trial> trials(2 * static_cast<std::size_t>(options.workers),
                              Trial{.hidden = 32, .rate = 0.1F, .batch = 64, .epochs = 1});
    const auto begin = std::chrono::steady_clock::now();
    for (const auto& trial : trials) {
        if (interrupted != 0) return;
        run_trial(trial);
    }
    const double serial = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const Outcome together = try_all(pool, trials, {});
    if (together.tried.size() < trials.size()) return;
    double load = 0;
    ::getloadavg(&load, 1);
    std::printf(
        "train: %zu equal trials: %.2f s one after the other, %.2f s by %d %s: %.2f times as fast (%d usable "
        "CPUs, load average %.1f)\n",
        trials.size(), serial, together.seconds, options.workers, options.with.c_str(),
        serial / together.seconds, mp::process_cpu_count(), load);
}

template <class Pool>
Outcome search(Pool& pool, const Options& options) {
    Outcome outcome = try_all(pool, all_trials(options.epochs), "trials");
    show_table(outcome.tried);
    if (interrupted == 0 && outcome.failures.empty()) compare(pool, options);
    return outcome;
}

// Returns the exit code.
int search_directory(const Options& options) {
    constexpr std::size_t few_pictures = 6000;
    const Data data = load(options.directory, options.quick ? few_pictures : 0);
    std::printf("train: %zu pictures to learn from, %zu of them to choose by, %zu to test with\n",
                data.training.count, data.training.count / 6, data.test.count);
    std::fflush(stdout);
    stop_on_interrupt();
    use_data(data);  // for the trials that are run here, to compare
    Outcome outcome;
    if (options.with == processes) {
        mp::Pool pool(options.workers, {.initializer = {use_data, data}});
        outcome = search(pool, options);
    } else {
        mt::Pool pool(options.workers, {.initializer = {use_data, data}});
        outcome = search(pool, options);
    }
    for (const auto& failure : outcome.failures) std::cerr << "train: " << failure << '\n';
    if (outcome.left > 0)
        std::cerr << "train: stopped by Ctrl-C: " << outcome.left << " trials have not ended\n";
    std::printf("train: %zu trials, %zu failed, %.2f s, %d %s\n", outcome.tried.size(),
                outcome.failures.size(), outcome.seconds, options.workers, options.with.c_str());
    if (interrupted != 0) return interrupted_exit;
    return outcome.failures.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app(
        "Tries hyper-parameters of a small classifier on pictures in the format of MNIST, best first.",
        "train");
    app.failure_message([](const CLI::App*, const CLI::Error& error) {
        return std::string("train: ") + error.what() + " (see --help)\n";
    });
    app.add_option("DIR", options.directory, "where the four files are; examples/train/fetch_data gets them")
        ->required()
        ->type_name("");
    app.add_option("-w,--workers", options.workers,
                   "how many trials at once; if left out, as many as there are usable CPUs")
        ->type_name("N")
        ->check(CLI::Range(1, most_workers));
    const auto* with = app.add_option("--with", options.with, "what they are")
                           ->type_name("")
                           ->check(CLI::IsMember({processes, threads}))
                           ->capture_default_str();
    const auto* start_method =
        app.add_option("--start-method", options.start_method, "how processes are started")
            ->type_name("")
            ->check(CLI::IsMember({"forkserver", "spawn", "fork"}))
            ->capture_default_str();
    const auto* epochs = app.add_option("--epochs", options.epochs, "how often each trial sees all pictures")
                             ->type_name("N")
                             ->check(CLI::Range(1, 1'000'000))
                             ->capture_default_str();
    app.add_flag("--quick", options.quick, "with a tenth of the pictures, and two epochs");
    app.callback([&] {
        if (options.with == threads && start_method->count() > 0)
            throw CLI::ValidationError(with->get_name(), "--start-method is for processes");
        if (options.quick && epochs->count() == 0) options.epochs = 2;
    });
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    try {
        mp::set_start_method(options.start_method);
        return search_directory(options);
    } catch (const std::exception& error) {
        std::cerr << "train: " << error.what() << '\n';
    }
    return 1;
}
