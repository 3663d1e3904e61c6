// thumbnails: a small copy of each picture below a directory.
//
//     thumbnails photographs small --workers 4 --with processes
//
// A folder of pictures may hold any file: some are cut short, some are no pictures, and one may crash
// the library that reads it. An exception comes in the place of its thumbnail, and the others go on. So does
// a crash, if the workers are processes; if they are threads, it is the end of the program. Nothing else
// differs.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <iostream>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include <CLI/CLI.hpp>
#include <chorus/chorus.hpp>

#include "pictures.hpp"
#include "thumbnail.hpp"

namespace fs = std::filesystem;
namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;
using namespace thumbnails;

namespace {

constexpr int most_workers = 10'000;
constexpr const char* processes = "processes";
constexpr const char* threads = "threads";

struct Options {
    std::string source;
    std::string target;
    int workers = mp::process_cpu_count();
    std::string with = processes;
    // For each picture. They are for processes: a thread can be neither bounded nor ended.
    double timeout_seconds = 20;
    std::size_t memory_mebibytes = 512;
};

struct Outcome {
    std::size_t made = 0;
    std::uint64_t pixels = 0;
    std::vector<Failure> failures;
};

// Pool is mp::Pool or mt::Pool.
template <class Pool>
Outcome make_all(Pool& pool, const chorus::TaskOptions& limits, const std::vector<Job>& jobs) {
    Outcome outcome;
    auto thumbnails = pool.imap({.progress = "thumbnails", .task = limits}, make_thumbnail, jobs);
    for (const Job& job : jobs) {  // the results come in the order of the jobs
        try {
            outcome.pixels += thumbnails.next()->pixels;
            ++outcome.made;
            continue;
        } catch (const std::bad_alloc&) {
            outcome.failures.push_back({job.source, "not enough memory"});
        } catch (const std::exception& error) {
            outcome.failures.push_back({job.source, error.what()});
        }
        std::remove(job.temporary.c_str());  // here and not in the worker, which may be dead
    }
    return outcome;
}

Outcome make_all(const Options& options, const std::vector<Job>& jobs) {
    if (options.with == processes) {
        mp::Pool pool(options.workers);
        return make_all(pool,
                        {.timeout = std::chrono::duration<double>(options.timeout_seconds),
                         .memory = options.memory_mebibytes << 20},
                        jobs);
    }
    mt::Pool pool(options.workers);
    return make_all(pool, {}, jobs);
}

std::vector<Job> make_jobs(const Options& options, Pictures& pictures) {
    std::vector<Job> jobs;
    for (const auto& path : pictures.paths) {
        const std::string source = fs::path(options.source) / path;
        const fs::path target = fs::path(options.target) / path;
        const std::string taken = path + ".jpg";
        if (format_of(path) != Format::jpeg && std::ranges::binary_search(pictures.paths, taken)) {
            pictures.failures.push_back({source, "its thumbnail could take the place of that of " + taken});
            continue;
        }
        jobs.push_back({source, target, target.parent_path() / ("." + target.filename().native() + ".part")});
    }
    return jobs;
}

// A thumbnail must never take the place of a picture.
void check_target(const Options& options) {
    const fs::path source = fs::canonical(options.source);
    const fs::path target = fs::weakly_canonical(options.target);
    const auto [end_of_target, in_source] = std::ranges::mismatch(target, source);
    if (end_of_target == target.end())
        throw std::runtime_error(options.target + ": thumbnails there could take the place of pictures in " +
                                 options.source);
}

std::string on_one_line(std::string text) {
    std::ranges::replace(text, '\n', ' ');
    return text;
}

// Returns whether all went well.
bool make_thumbnails(const Options& options) {
    check_target(options);
    const auto begin = std::chrono::steady_clock::now();
    Pictures pictures = find_pictures(options.source, options.target);
    const auto jobs = make_jobs(options, pictures);
    auto [made, pixels, failures] = make_all(options, jobs);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;

    failures.insert(failures.end(), pictures.failures.begin(), pictures.failures.end());
    std::ranges::sort(failures, {}, &Failure::path);
    for (const auto& [path, reason] : failures)
        std::cerr << "thumbnails: " << on_one_line(path + ": " + reason) << '\n';
    std::printf("thumbnails: %zu made, %zu failed, %llu pixels, %.3f s, %.1f megapixels/s, %d %s\n", made,
                failures.size(), static_cast<unsigned long long>(pixels), took.count(),
                static_cast<double>(pixels) / 1e6 / took.count(), options.workers, options.with.c_str());
    return failures.empty();
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app(
        "A small copy, 256 pixels on the longest side, of each JPEG, PNG and PPM file below a directory.",
        "thumbnails");
    app.failure_message([](const CLI::App*, const CLI::Error& error) {
        return std::string("thumbnails: ") + error.what() + " (see --help)\n";
    });
    app.add_option("SRC", options.source, "where the pictures are; links below it are not followed")
        ->required()
        ->type_name("");
    app.add_option("DST", options.target,
                   "where the thumbnails go, each to the same place below it; it is made if it is not there")
        ->required()
        ->type_name("");
    app.add_option("-w,--workers", options.workers,
                   "how many at once; if left out, as many as there are usable CPUs")
        ->type_name("N")
        ->check(CLI::Range(1, most_workers));
    const auto* with = app.add_option("--with", options.with, "what they are")
                           ->type_name("")
                           ->check(CLI::IsMember({processes, threads}))
                           ->capture_default_str();
    const auto* timeout =
        app.add_option("--timeout", options.timeout_seconds, "how long one picture may take; for processes")
            ->type_name("SECONDS")
            ->check(CLI::PositiveNumber)
            ->capture_default_str();
    const auto* memory = app.add_option("--memory", options.memory_mebibytes,
                                        "how much memory one picture may need; for processes")
                             ->type_name("MIB")
                             ->check(CLI::Range(1, 1 << 20))
                             ->capture_default_str();
    app.callback([&] {
        if (options.with == threads && timeout->count() + memory->count() > 0) {
            throw CLI::ValidationError(
                with->get_name(),
                "a thread can be neither ended nor bounded, so --timeout and --memory are for processes");
        }
    });
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    try {
        return make_thumbnails(options) ? 0 : 1;
    } catch (const fs::filesystem_error& error) {
        std::cerr << "thumbnails: " << on_one_line(error.path1().native()) << ": " << error.code().message()
                  << '\n';
    } catch (const chorus::Error& error) {
        std::cerr << "thumbnails: " << on_one_line(error.what()) << '\n';
    } catch (const std::system_error& error) {
        std::cerr << "thumbnails: " << on_one_line(options.source) << ": " << error.code().message() << '\n';
    } catch (const std::exception& error) {
        std::cerr << "thumbnails: " << on_one_line(error.what()) << '\n';
    }
    return 1;
}
