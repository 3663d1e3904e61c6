// chorus report: the article's claims about threads and processes, measured here, as a page.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <signal.h>

#include "output_file.hpp"
#include "report/advice.hpp"
#include "report/experiment.hpp"
#include "report/json.hpp"
#include "report/machine.hpp"
#include "report/page.hpp"
#include "subcommands.hpp"

namespace command {
namespace {

using namespace report;

struct Options {
    std::string page = "report.html";
    std::string json;
    std::vector<std::string> only;
    bool quick = false;
};

std::string in_a_line(const Part& part) {
    if (part.headline.big.empty()) return "could not be measured: " + part.failure;
    return part.headline.big + " " + part.headline.words +
           (part.failure.empty() ? "" : " (not all could be measured: the page says why)");
}

Part run(const Experiment& experiment, const Effort& effort) {
    Part part{experiment.name, experiment.title, experiment.claim, experiment.done};
    const auto begin = std::chrono::steady_clock::now();
    std::printf("%-26s", experiment.title);
    std::fflush(stdout);
    try {
        experiment.measure(part, effort);
    } catch (const std::exception& error) {  // the others can still be measured
        part.failure = error.what();
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    std::printf("%5.1f s   %s\n", took.count(), in_a_line(part).c_str());
    std::fflush(stdout);
    return part;
}

Results run_all(const Options& options) {
    Results results{.quick = options.quick, .busy = busy_with_others(), .facts = facts(options.quick)};
    if (!results.busy.empty()) std::printf("%s\n", results.busy.c_str());
    for (const Experiment* const experiment : experiments()) {
        const bool wanted =
            options.only.empty() || std::ranges::find(options.only, experiment->name) != options.only.end();
        if (wanted) results.parts.push_back(run(*experiment, {options.quick}));
    }
    results.advice = advice_from(results.parts);
    return results;
}

void make_report(const Options& options) {
    expect_writable(options.page);  // before a minute is spent on it
    if (!options.json.empty()) expect_writable(options.json);
    const Results results = run_all(options);
    if (!options.json.empty()) write_file(options.json, json(results));
    write_file(options.page, page(results));
    std::printf("%s\n", options.page.c_str());
    if (std::ranges::any_of(results.parts,
                            [](const Part& part) { return part.failure.starts_with("a wrong result"); })) {
        throw std::runtime_error("a part of it measured wrong results: " + options.page + " tells which");
    }
}

int run_report(const Options& options) {
    ::signal(SIGPIPE, SIG_IGN);  // a user whose pipe for the lines is closed may still want the page
    try {
        make_report(options);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "chorus report: %s\n", error.what());
    }
    return 1;
}

std::vector<std::string> names_of_parts() {
    std::vector<std::string> names;
    for (const Experiment* const experiment : experiments()) names.emplace_back(experiment->name);
    return names;
}

}  // namespace

void add_report(CLI::App& app, int& status) {
    const auto options = std::make_shared<Options>();
    CLI::App* const report = app.add_subcommand(
        "report", "Threads or processes? Measures what they cost and do here, and writes a page about it.");
    report->add_option("-o,--output", options->page, "the page")->type_name("FILE")->capture_default_str();
    report->add_flag("--quick", options->quick, "less work and fewer rounds: seconds instead of a minute");
    report->add_option("--json", options->json, "the figures for programs, too")->type_name("FILE");
    report->add_option("--only", options->only, "this part and no other; may be repeated")
        ->type_name("PART")
        ->check(CLI::IsMember(names_of_parts()));
    report->callback([options, &status] { status = run_report(*options); });
}

}  // namespace command
