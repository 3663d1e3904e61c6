// hash_tree: SHA-256 of every regular file below a directory, as sha256sum prints it.
//
//     hash_tree /usr/include --workers 4 --with processes
//
// The files are cut into batches, the costliest go first, and each worker takes the next batch when it
// is done with one. Whether a batch is hashed in a thread of this program or in a process of its own
// is one word in `hash_batch`; a process that crashes costs its batch and nothing else.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <exception>
#include <iostream>
#include <string>
#include <system_error>
#include <vector>

#include <CLI/CLI.hpp>
#include <chorus/chorus.hpp>

#include "hash_tree/digest.hpp"
#include "hash_tree/file_list.hpp"
#include "hash_tree/progress.hpp"

namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;
using namespace hash_tree;

namespace {

constexpr int most_workers = 10'000;

// What works.
constexpr const char* processes = "processes";
constexpr const char* threads = "threads";
constexpr const char* serial = "serial";

struct Options {
    std::string directory;
    int workers = mp::process_cpu_count();
    std::string with = processes;
};

// Neighbours in the list of files.
struct Batch {
    std::size_t first = 0;
    std::size_t size = 0;
    std::uint64_t cost = 0;
};

// Small enough that all workers have something to do until the end, large enough that handing one over
// costs nothing against hashing it.
std::vector<Batch> make_batches(const FileList& list, int workers) {
    const std::uint64_t cost_of_any_file = 32_KiB;  // to open a file takes as long as to hash so much
    const std::uint64_t cost_of_all = list.bytes + list.files.size() * cost_of_any_file;
    const auto limit =
        std::clamp<std::uint64_t>(cost_of_all / (static_cast<std::uint64_t>(workers) * 16), 1_MiB, 64_MiB);
    std::vector<Batch> batches;
    for (std::size_t i = 0; i < list.files.size(); ++i) {
        const std::uint64_t cost = list.files[i].size + cost_of_any_file;
        if (batches.empty() || batches.back().cost + cost > limit) batches.push_back({i, 0, 0});
        batches.back().size += 1;
        batches.back().cost += cost;
    }
    std::ranges::stable_sort(batches, std::ranges::greater{}, &Batch::cost);
    return batches;
}

std::vector<Hashed> hash_batch(const std::string& with, const std::vector<std::string>& paths) {
    try {
        return with == processes ? mp::run(hash_files, paths) : hash_files(paths);
    } catch (const std::exception& error) {
        return std::vector<Hashed>(paths.size(), {"", std::string("Its worker failed: ") + error.what(), 0});
    }
}

// Starts as many as the system allows and waits for all of them.
void run_workers(std::size_t count, const auto& work) {
    std::vector<mt::Thread> started;
    try {
        while (started.size() < count) {
            mt::Thread thread(work);
            thread.start();
            started.push_back(thread);
        }
    } catch (const chorus::OsError& error) {
        std::cerr << "hash_tree: only " << started.size() << " of " << count << " workers: " << error.what()
                  << '\n';
        if (started.empty()) work();
    }
    for (auto& thread : started) thread.join();
}

std::vector<Hashed> hash_all(const FileList& list, const Options& options) {
    const auto batches = make_batches(list, options.workers);
    std::vector<Hashed> results(list.files.size());
    Progress progress(list.files.size(), list.bytes);
    std::atomic<std::size_t> next = 0;
    const auto work = [&] {
        for (std::size_t taken = next++; taken < batches.size(); taken = next++) {
            const auto [first, size, cost] = batches[taken];
            std::vector<std::string> paths;
            std::uint64_t expected = 0;
            for (std::size_t i = first; i < first + size; ++i) {
                paths.push_back(list.files[i].path);
                expected += list.files[i].size;
            }
            std::ranges::move(hash_batch(options.with, paths),
                              results.begin() + static_cast<std::ptrdiff_t>(first));
            progress.add(size, expected);
        }
    };
    if (options.with == serial) {
        work();
    } else {
        run_workers(std::min(static_cast<std::size_t>(options.workers), batches.size()), work);
    }
    return results;
}

void report_speed(const Options& options, std::size_t files, std::uint64_t bytes,
                  std::chrono::duration<double> took) {
    const auto who = options.with == serial ? serial : std::to_string(options.workers) + " " + options.with;
    std::fprintf(stderr, "hash_tree: %zu files, %llu bytes, %.3f s, %.1f MB/s, %s\n", files,
                 static_cast<unsigned long long>(bytes), took.count(),
                 static_cast<double>(bytes) / 1e6 / took.count(), who.c_str());
}

// Returns whether all went well.
bool hash_directory(const Options& options) {
    const auto begin = std::chrono::steady_clock::now();
    auto [files, failures, expected] = list_files(options.directory);
    const auto results = hash_all({files, {}, expected}, options);
    const auto took = std::chrono::steady_clock::now() - begin;

    std::uint64_t bytes = 0;
    std::size_t hashed = 0;
    for (std::size_t i = 0; i < files.size(); ++i) {
        bytes += results[i].bytes;
        if (results[i].digest.empty()) {
            failures.push_back({files[i].path, results[i].error});
        } else {
            ++hashed;
            std::cout << sha256sum_line(results[i].digest, files[i].path);
        }
    }
    std::cout.flush();
    std::ranges::sort(failures, {}, &Failure::path);
    for (const auto& [path, reason] : failures)
        std::cerr << "hash_tree: " << escaped(path) << ": " << reason << '\n';
    if (!std::cout) std::cerr << "hash_tree: the result could not be written to standard output\n";
    report_speed(options, hashed, bytes, took);
    return failures.empty() && std::cout;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app(
        "SHA-256 of every regular file below a directory, printed as sha256sum does, sorted by path.",
        "hash_tree");
    app.failure_message([](const CLI::App*, const CLI::Error& error) {
        return std::string("hash_tree: ") + error.what() + " (see --help)\n";
    });
    app.add_option("DIR", options.directory, "where to begin; links below it are not followed")
        ->required()
        ->type_name("");
    app.add_option("-w,--workers", options.workers,
                   "how many at once; if left out, as many as there are usable CPUs")
        ->type_name("N")
        ->check(CLI::Range(1, most_workers));
    app.add_option("--with", options.with, "what they are; serial is none: one file after the other")
        ->type_name("")
        ->check(CLI::IsMember({processes, threads, serial}))
        ->capture_default_str();
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    try {
        mp::set_forkserver_preload(load_sha256);
        return hash_directory(options) ? 0 : 1;
    } catch (const chorus::Error& error) {
        std::cerr << "hash_tree: " << error.what() << '\n';
    } catch (const std::system_error& error) {
        std::cerr << "hash_tree: " << escaped(options.directory) << ": " << error.code().message() << '\n';
    } catch (const std::exception& error) {
        std::cerr << "hash_tree: " << error.what() << '\n';
    }
    return 1;
}
