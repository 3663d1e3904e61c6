// pipeline: large files, compressed by many, into one file that gunzip reads.
//
//     pipeline all.gz log.1 log.2 log.3 --workers 4 --with processes
//
// Three stages joined by queues: read, compress, write in order. A slow stage holds back the one before it.
// Ctrl-C stops the reading; what was given out to be read is compressed and written, so that the file ends at
// a known place, and --resume goes on from there. A worker process that is killed is replaced, and its block
// is given out again.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chorus/chorus.hpp>

#include "flow.hpp"
#include "interrupt.hpp"
#include "kinds.hpp"
#include "output.hpp"
#include "plan.hpp"

namespace mp = chorus::multiprocessing;
using namespace pipeline;

namespace {

constexpr int most_workers = 1'000;
constexpr int interrupted_exit = 130;  // as a shell says it of a program that Ctrl-C ended
constexpr const char* processes = "processes";
constexpr const char* threads = "threads";

struct Options {
    std::string output;
    std::vector<std::string> files;
    Shape shape{.workers = mp::process_cpu_count()};
    std::uint64_t block_kibibytes = 1024;
    std::string with = processes;
    std::string start_method = "forkserver";
    bool resume = false;
};

// A bar on a terminal.
class Bar {
public:
    explicit Bar(std::size_t all)
        : is_shown_(::isatty(STDERR_FILENO) == 1 && std::getenv("NO_PROGRESS") == nullptr) {
        progress_.total = all;
    }
    ~Bar() {
        if (is_shown_) std::fputs("\r\x1b[K", stderr);
    }
    Bar(const Bar&) = delete;
    Bar& operator=(const Bar&) = delete;

    void draw(std::size_t done) {
        const auto now = Clock::now();
        if (!is_shown_ || now - drawn_ < std::chrono::milliseconds(100)) return;
        drawn_ = now;
        progress_.done = done;
        progress_.seconds = std::chrono::duration<double>(now - begin_).count();
        winsize size{};
        const std::size_t columns =
            ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
        std::fprintf(stderr, "\r%s\x1b[K", chorus::progress_line("blocks", progress_, columns - 1).c_str());
    }

private:
    using Clock = std::chrono::steady_clock;
    const bool is_shown_;
    const Clock::time_point begin_ = Clock::now();
    Clock::time_point drawn_{};
    chorus::Progress progress_;
};

struct Outcome {
    std::size_t blocks = 0;
    std::uint64_t deaths = 0;
    std::string error;
};

template <class Kind>
Outcome run(const std::vector<Input>& inputs, const std::vector<Range>& plan, const Options& options,
            Output& output) {
    Bar bar(plan.size());
    Flow<Kind> flow(inputs, plan, options.shape, output);
    std::string error;
    try {
        flow.run(is_interrupted, [&] { bar.draw(flow.written()); });
    } catch (const std::exception& caught) {
        error = caught.what();
    }
    return {flow.written(), flow.deaths(), error};
}

// Returns the exit code.
int compress(Options options) {
    const auto begin = std::chrono::steady_clock::now();
    options.shape.block_size = options.block_kibibytes << 10;
    const auto inputs = look_at(options.files);
    Output output(options.output, options.resume);
    const auto plan = make_plan(inputs, options.shape.block_size, output.content());
    note_interrupts();
    const auto [blocks, deaths, error] = options.with == processes
                                             ? run<Processes>(inputs, plan, options, output)
                                             : run<Threads>(inputs, plan, options, output);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;

    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < blocks; ++i) bytes += plan[i].size;
    if (deaths > 0)
        std::cerr << "pipeline: " << deaths
                  << " workers died and were replaced; what they held was given out again\n";
    if (!error.empty()) std::cerr << "pipeline: " << error << '\n';
    if (blocks < plan.size()) {
        const Range& next = plan[blocks];
        std::cerr << "pipeline: " << (error.empty() ? "stopped by Ctrl-C" : "stopped") << " at byte "
                  << next.offset << " of " << inputs[next.file].path << ": " << output.content() + bytes
                  << " bytes are in the output"
                  << (options.output == "-" ? "\n" : ", which is whole so far; --resume goes on with it\n");
    }
    std::fprintf(stderr, "pipeline: %zu of %zu blocks, %llu bytes to %llu, %.3f s, %.1f MB/s, %d %s\n",
                 blocks, plan.size(), static_cast<unsigned long long>(bytes),
                 static_cast<unsigned long long>(output.written()), took.count(),
                 static_cast<double>(bytes) / 1e6 / took.count(), options.shape.workers,
                 options.with.c_str());
    if (!error.empty()) return 1;
    return blocks < plan.size() ? interrupted_exit : 0;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app(
        "Files one after the other, compressed block by block by many workers into one file that gunzip "
        "reads.",
        "pipeline");
    app.failure_message([](const CLI::App*, const CLI::Error& error) {
        return std::string("pipeline: ") + error.what() + " (see --help)\n";
    });
    app.add_option("OUT", options.output, "where to; - is standard output")->required()->type_name("");
    app.add_option("FILE", options.files, "what")->required()->type_name("");
    app.add_option("-w,--workers", options.shape.workers,
                   "how many compress at once; if left out, as many as there are usable CPUs")
        ->type_name("N")
        ->check(CLI::Range(1, most_workers));
    app.add_option("-r,--readers", options.shape.readers, "how many read at once")
        ->type_name("N")
        ->check(CLI::Range(1, most_workers))
        ->capture_default_str();
    const auto* with = app.add_option("--with", options.with, "what they are")
                           ->type_name("")
                           ->check(CLI::IsMember({processes, threads}))
                           ->capture_default_str();
    const auto* start_method =
        app.add_option("--start-method", options.start_method, "how processes are started")
            ->type_name("")
            ->check(CLI::IsMember({"forkserver", "spawn", "fork"}))
            ->capture_default_str();
    app.add_option("--block", options.block_kibibytes, "size of a block")
        ->type_name("KIB")
        ->check(CLI::Range(1, 1 << 20))
        ->capture_default_str();
    app.add_option("--level", options.shape.level, "1: fast, 9: small")
        ->type_name("LEVEL")
        ->check(CLI::Range(1, 9))
        ->capture_default_str();
    const auto* resume =
        app.add_flag("--resume", options.resume, "go on with an output that was begun, from the same files");
    app.callback([&] {
        if (options.with == threads && start_method->count() > 0)
            throw CLI::ValidationError(with->get_name(), "--start-method is for processes");
        if (options.output == "-" && options.resume)
            throw CLI::ValidationError(resume->get_name(),
                                       "what went to standard output cannot be read again");
    });
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    try {
        mp::set_start_method(options.start_method);
        return compress(options);
    } catch (const std::exception& error) {
        std::cerr << "pipeline: " << error.what() << '\n';
    }
    return 1;
}
