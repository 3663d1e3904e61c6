// grep_tree: the lines below a directory that match a regular expression, printed as grep -rnE does.
//
//     grep_tree 'static inline .*lock' linux --workers 4 --with processes
//
// std::regex has an answer for each line, or overflows its stack, or tries for years. With processes that
// costs the file which it happened on, and one worker, which is replaced: the file is named with its reason
// and the stack. With threads it is the end of the program, or there is none.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <iostream>
#include <optional>
#include <regex>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include <CLI/CLI.hpp>
#include <chorus/chorus.hpp>

#include "files.hpp"
#include "screen.hpp"
#include "search.hpp"

namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;
using namespace grep_tree;

namespace {

constexpr int most_workers = 10'000;
constexpr const char* processes = "processes";
constexpr const char* threads = "threads";

// As grep's.
constexpr int lines_found = 0;
constexpr int nothing_found = 1;
constexpr int trouble = 2;

struct Options {
    std::string pattern;
    std::string directory;
    int workers = mp::process_cpu_count();
    std::string with = processes;
    std::string start_method = "forkserver";
    double timeout_seconds = 60;  // for each file, by a process: a thread cannot be ended
};

struct Outcome {
    std::size_t files = 0;
    std::size_t files_with_lines = 0;
    std::size_t binary_files = 0;
    std::size_t lines = 0;
    std::uint64_t bytes = 0;
    std::vector<Failure> failures;
};

void add(Outcome& outcome, Screen& screen, const std::string& path, const Found& found) {
    outcome.files += 1;
    outcome.files_with_lines += found.lines.empty() ? 0U : 1U;
    outcome.binary_files += found.is_binary ? 1U : 0U;
    outcome.lines += found.lines.size();
    outcome.bytes += found.bytes;
    std::string text;
    for (const auto& line : found.lines)
        text += path + ":" + std::to_string(line.number) + ":" + line.text + "\n";
    if (!text.empty()) screen.write(text);
}

// Pool is mp::Pool or mt::Pool.
template <class Pool>
Outcome search_all(Pool& pool, const chorus::TaskOptions& limits, const std::vector<std::string>& paths) {
    Outcome outcome;
    Screen screen("files");
    chorus::ImapOptions how{
        .progress = [&screen](const chorus::Progress& progress) { screen.show(progress); }, .task = limits};
    how.buffersize =
        64 * pool.size();  // a file that takes long holds up the printing, and not at once the others
    auto all_found = pool.imap(how, search_file, paths);
    for (const auto& path : paths) {  // the results come in the order of the paths
        std::optional<Found> found;
        try {
            found = all_found.next();
        } catch (const chorus::WorkerDied& died) {
            outcome.failures.push_back({path, died.what(), died.stack()});
        } catch (const chorus::Error& error) {
            outcome.failures.push_back({path, error.what()});
        } catch (const std::system_error& error) {
            outcome.failures.push_back({path, error.code().message()});
        } catch (const std::exception& error) {
            outcome.failures.push_back({path, error.what()});
        }
        if (found) add(outcome, screen, path, *found);
    }
    return outcome;
}

Outcome search_all(const Options& options, const std::vector<std::string>& paths) {
    if (options.with == processes) {
        mp::Pool pool(options.workers, {.initializer = {use_pattern, options.pattern}});
        return search_all(pool, {.timeout = std::chrono::duration<double>(options.timeout_seconds)}, paths);
    }
    mt::Pool pool(options.workers, {.initializer = {use_pattern, options.pattern}});
    return search_all(pool, {}, paths);
}

std::string on_one_line(std::string text) {
    std::ranges::replace(text, '\n', ' ');
    return text;
}

// The innermost frames: a stack that has overflowed holds the same few over and over.
std::string innermost(const std::string& stack) {
    constexpr std::ptrdiff_t shown = 4;
    std::istringstream frames(stack);
    std::string text;
    std::string frame;
    for (std::ptrdiff_t i = 0; i < shown && std::getline(frames, frame); ++i) text += "    " + frame + "\n";
    const auto all = std::ranges::count(stack, '\n') + (stack.ends_with('\n') ? 0 : 1);
    if (all > shown) text += "    and " + std::to_string(all - shown) + " more\n";
    return text;
}

void report(const Options& options, const Outcome& outcome, std::chrono::duration<double> took) {
    for (const auto& [path, reason, stack] : outcome.failures)
        std::cerr << "grep_tree: " << on_one_line(path + ": " + reason) << '\n' << innermost(stack);
    std::fprintf(
        stderr,
        "grep_tree: %zu lines in %zu of %zu files, %zu binary, %zu failed, %.3f s, %.1f MB/s, %d %s\n",
        outcome.lines, outcome.files_with_lines, outcome.files, outcome.binary_files, outcome.failures.size(),
        took.count(), static_cast<double>(outcome.bytes) / 1e6 / took.count(), options.workers,
        options.with.c_str());
}

int search_directory(const Options& options) {
    const auto begin = std::chrono::steady_clock::now();
    const Files files = find_files(options.directory);
    Outcome outcome = search_all(options, files.paths);
    outcome.failures.insert(outcome.failures.end(), files.failures.begin(), files.failures.end());
    std::ranges::stable_sort(outcome.failures, {}, &Failure::path);
    report(options, outcome, std::chrono::steady_clock::now() - begin);
    if (!outcome.failures.empty()) return trouble;
    return outcome.lines > 0 ? lines_found : nothing_found;
}

// What std::regex says of a pattern that it does not take, before any worker is there.
std::string problem_of(const std::string& pattern) {
    try {
        use_pattern(pattern);
        return "";
    } catch (const std::regex_error& error) {
        return error.what();
    }
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app(
        "The lines below a directory that match a POSIX extended regular expression, printed as grep -rnE "
        "does, sorted by path.",
        "grep_tree");
    app.failure_message([](const CLI::App*, const CLI::Error& error) {
        return std::string("grep_tree: ") + error.what() + " (see --help)\n";
    });
    app.add_option("PATTERN", options.pattern,
                   "what the lines match; bytes are compared, not characters of a language")
        ->required()
        ->type_name("")
        ->check(CLI::Validator(problem_of, ""));
    app.add_option("DIR", options.directory, "where to begin; links below it are not followed")
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
    const auto* start_method =
        app.add_option("--start-method", options.start_method, "how processes are started")
            ->type_name("")
            ->check(CLI::IsMember({"forkserver", "spawn", "fork"}))
            ->capture_default_str();
    const auto* timeout =
        app.add_option("--timeout", options.timeout_seconds, "how long one file may take; for processes")
            ->type_name("SECONDS")
            ->check(CLI::PositiveNumber)
            ->capture_default_str();
    app.callback([&] {
        if (options.with == threads && timeout->count() + start_method->count() > 0) {
            throw CLI::ValidationError(
                with->get_name(), "--timeout and --start-method are for processes: a thread cannot be ended");
        }
    });
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : trouble;
    }
    try {
        mp::set_start_method(options.start_method);
        return search_directory(options);
    } catch (const std::exception& error) {
        std::cerr << "grep_tree: " << on_one_line(error.what()) << '\n';
    }
    return trouble;
}
