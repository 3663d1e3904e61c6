// fetch: many addresses into files of one directory.
//
//     fetch urls.txt files --workers 50 --with threads
//
// A download waits for the other side nearly all of the time, so there may be many more workers than
// CPUs, and threads are what is wanted: they cost little and there is nothing to share. Fifty take
// as long as the slowest download.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <chorus/chorus.hpp>

#include "addresses.hpp"
#include "download.hpp"

namespace fs = std::filesystem;
namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;
using namespace fetch;

namespace {

constexpr int most_workers = 10'000;
constexpr int interrupted_exit = 130;  // as a shell says it of a program that Ctrl-C ended
constexpr const char* processes = "processes";
constexpr const char* threads = "threads";

struct Options {
    std::string list;
    std::string directory;
    int workers = 50;
    std::string with = threads;
    Patience patience;
};

struct Outcome {
    std::size_t files = 0;
    std::size_t left = 0;  // when Ctrl-C came
    std::uint64_t bytes = 0;
    double slowest = 0;
    double sum = 0;
    std::vector<Failure> failures;
};

volatile std::sig_atomic_t interrupted = 0;

// The first one stops the downloads, the second ends the program as ever.
void stop_on_interrupt() {
    struct sigaction action {};
    action.sa_handler = [](int) {
        interrupted = 1;
        give_up();
    };
    action.sa_flags = static_cast<int>(SA_RESTART | SA_RESETHAND);
    ::sigaction(SIGINT, &action, nullptr);
}

void add(Outcome& outcome, const Downloaded& downloaded) {
    outcome.files += 1;
    outcome.bytes += downloaded.bytes;
    outcome.slowest = std::max(outcome.slowest, downloaded.seconds);
    outcome.sum += downloaded.seconds;
}

// Pool is mp::Pool or mt::Pool.
template <class Pool>
Outcome fetch_all(Pool& pool, const std::vector<Job>& jobs) {
    using namespace std::chrono_literals;
    Outcome outcome;
    chorus::ImapOptions how{.progress = "files"};
    how.buffersize = jobs.size() + 1;  // a slow one holds up none behind it
    auto downloads = pool.imap(how, download, jobs);
    bool is_stopped = false;
    for (std::size_t i = 0; i < jobs.size();) {  // the results come in the order of the jobs
        if (interrupted != 0 && !std::exchange(is_stopped, true)) pool.terminate();
        try {
            add(outcome, *downloads.next(100ms));
            ++i;
        } catch (const chorus::TimedOut&) {  // not yet
        } catch (const std::exception& error) {
            if (interrupted != 0) {
                ++outcome.left;
            } else {
                outcome.failures.push_back({jobs[i].url, error.what()});
            }
            ++i;
        }
    }
    return outcome;
}

Outcome fetch_all(const Options& options, const std::vector<Job>& jobs) {
    if (options.with == processes) {
        mp::Pool pool(options.workers, {.initializer = {be_patient, options.patience}});
        return fetch_all(pool, jobs);
    }
    mt::Pool pool(options.workers, {.initializer = {be_patient, options.patience}});
    return fetch_all(pool, jobs);
}

// Returns the exit code.
int fetch_list(const Options& options) {
    const auto begin = std::chrono::steady_clock::now();
    const Addresses addresses = read_addresses(options.list, options.directory);
    fs::create_directories(options.directory);
    stop_on_interrupt();
    Outcome outcome = fetch_all(options, addresses.jobs);
    for (const Job& job : addresses.jobs) std::remove(job.temporary.c_str());  // of those that were ended
    outcome.failures.insert(outcome.failures.end(), addresses.failures.begin(), addresses.failures.end());
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;

    for (const auto& [url, reason] : outcome.failures)
        std::cerr << "fetch: " << url << ": " << reason << '\n';
    if (outcome.left > 0) std::cerr << "fetch: stopped by Ctrl-C: " << outcome.left << " are not there\n";
    std::printf(
        "fetch: %zu files, %zu failed, %llu bytes, %.3f s; the slowest took %.3f s, all one after the other "
        "%.3f s; %d %s\n",
        outcome.files, outcome.failures.size(), static_cast<unsigned long long>(outcome.bytes), took.count(),
        outcome.slowest, outcome.sum, options.workers, options.with.c_str());
    if (interrupted != 0) return interrupted_exit;
    return outcome.failures.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app("Many addresses into files of one directory, many at once.", "fetch");
    app.failure_message([](const CLI::App*, const CLI::Error& error) {
        return std::string("fetch: ") + error.what() + " (see --help)\n";
    });
    app.add_option("LIST", options.list, "a file with one address a line, of http or https")
        ->required()
        ->type_name("");
    app.add_option(
           "DIR", options.directory,
           "where the files go, named as the last part of their address; it is made if it is not there")
        ->required()
        ->type_name("");
    app.add_option("-w,--workers", options.workers, "how many at once")
        ->type_name("N")
        ->check(CLI::Range(1, most_workers))
        ->capture_default_str();
    app.add_option("--with", options.with, "what they are")
        ->type_name("")
        ->check(CLI::IsMember({processes, threads}))
        ->capture_default_str();
    app.add_option("--timeout", options.patience.timeout_seconds, "how long one attempt may take")
        ->type_name("SECONDS")
        ->check(CLI::Range(0.001, 1e6))
        ->capture_default_str();
    app.add_option("--retries", options.patience.retries, "how often what may pass is tried again")
        ->type_name("N")
        ->check(CLI::Range(0, 100))
        ->capture_default_str();
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    try {
        return fetch_list(options);
    } catch (const fs::filesystem_error& error) {
        std::cerr << "fetch: " << error.path1().native() << ": " << error.code().message() << '\n';
    } catch (const std::exception& error) {
        std::cerr << "fetch: " << error.what() << '\n';
    }
    return 1;
}
