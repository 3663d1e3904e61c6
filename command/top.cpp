// chorus top: live workers, pools and queues of a running program.
#include <algorithm>
#include <chrono>
#include <clocale>
#include <cstdio>
#include <stdexcept>
#include <utility>

#include "subcommands.hpp"
#include "top/columns.hpp"
#include "top/program.hpp"
#include "top/screen.hpp"
#include "top/table.hpp"

namespace command {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
    int pid = 0;
    double interval = 1;
    bool once = false;
};

double seconds_since(Clock::time_point when) {
    return std::chrono::duration<double>(Clock::now() - when).count();
}

void print(const std::vector<std::string>& lines) {
    for (const auto& line : lines) std::printf("%s\n", line.c_str());
    std::fflush(stdout);
}

void print_once(const Options& options) {
    print(top::table(top::look_at(options.pid), {}, 0, std::size_t(-1), std::size_t(-1)));
}

std::string heading(const top::Program& program) {
    const auto processes = program.workers.size();
    return program.workers.front().name + " (" + std::to_string(program.workers.front().pid) +
           "): " + std::to_string(processes) + (processes == 1 ? " process" : " processes") + ".  q quits";
}

/// Until the user or the program ends. Returns whether it was the program.
bool watch(const Options& options) {
    const auto interval =
        std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options.interval));
    auto now = top::look_at(options.pid);  // what cannot be looked at is said before the screen is taken
    auto before = now;
    auto looked = Clock::now();
    double seconds = 0;
    top::Screen screen;
    for (;;) {
        const auto size = screen.size();
        auto lines = top::table(now, before, seconds, size.columns, size.lines > 2 ? size.lines - 2 : 1);
        lines.insert(lines.begin(), {top::cut(heading(now), size.columns), ""});
        if (!screen.draw(lines)) return false;
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(looked + interval - Clock::now());
        const auto woken = screen.wait(std::max(left, std::chrono::milliseconds(0)));
        if (woken == top::Screen::Woken::to_end) return false;
        if (woken == top::Screen::Woken::to_draw) continue;
        top::Program next;
        try {
            next = top::look_at(options.pid);
        } catch (const top::HasEnded&) {
            return true;
        }
        before = std::exchange(now, std::move(next));
        seconds = seconds_since(looked);
        looked = Clock::now();
    }
}

int run(const Options& options) {
    std::setlocale(LC_CTYPE, "");  // how wide characters are
    try {
        if (options.once || !top::can_draw()) {
            print_once(options);
        } else if (watch(options)) {
            std::printf("process %d has ended\n", options.pid);
        }
        return 0;
    } catch (const std::runtime_error& error) {
        std::fprintf(stderr, "chorus top: %s\n", error.what());
        return 1;
    }
}

}  // namespace

void add_top(CLI::App& app, int& status) {
    static Options options;
    auto* const top = app.add_subcommand("top", "Shows live workers, pools and queues of a running program.");
    top->add_option("PID", options.pid, "The program's process, or any of its workers")
        ->required()
        ->check(CLI::PositiveNumber);
    top->add_option("--interval", options.interval, "Seconds between two looks")
        ->check(CLI::Range(0.1, 3600.0))
        ->capture_default_str();
    top->add_flag("--once", options.once,
                  "Print what there is, once; so it is too where the output is no terminal");
    top->callback([&status] { status = run(options); });
}

}  // namespace command
