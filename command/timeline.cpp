// chorus timeline: a trace as a page or a picture.
#include <algorithm>
#include <exception>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <system_error>

#include "output_file.hpp"
#include "subcommands.hpp"
#include "timeline/page.hpp"
#include "timeline/picture.hpp"
#include "timeline/rows.hpp"
#include "timeline/trace_file.hpp"

namespace command {
namespace {

struct Options {
    std::string trace;
    std::string out;
    bool svg = false;
    double seconds = 0;
};

int draw_timeline(Options options) {
    try {
        auto timeline = timeline::put_in_order(timeline::read_trace(options.trace));
        timeline.scale = std::max(timeline.length, options.seconds * 1e6);
        if (options.out.empty())
            options.out = std::filesystem::path(options.trace)
                              .replace_extension(options.svg ? ".svg" : ".html")
                              .string();
        std::error_code no_such_file;
        if (std::filesystem::equivalent(options.trace, options.out, no_such_file)) {
            throw timeline::BadTrace("the trace itself would be written over: say another place by -o");
        }
        write_file(options.out, options.svg ? timeline::draw(timeline, timeline::Place::alone)
                                            : timeline::write_page(timeline));
        std::cout << options.out << ": " << timeline::summary_of(timeline) << '\n';
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "chorus timeline: " << error.what() << '\n';
        return 1;
    }
}

}  // namespace

void add_timeline(CLI::App& app, int& status) {
    auto* const command =
        app.add_subcommand("timeline", "Draw what a program's workers did: a page with a row for each.");
    const auto options = std::make_shared<Options>();
    command->add_option("trace", options->trace, "What CHORUS_TRACE=FILE ./program has written")->required();
    command->add_option("-o,--output", options->out, "Where to write it (as the trace, but .html or .svg)");
    command->add_flag("--svg", options->svg, "The picture alone");
    command->add_option("--seconds", options->seconds,
                        "Draw so many at least: pictures of one scale can be compared");
    command->callback([options, &status] { status = draw_timeline(*options); });
}

}  // namespace command
