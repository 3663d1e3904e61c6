// chorus: the command. What its subcommands do is in the files of their names.
#include <CLI/CLI.hpp>

#include <chorus/version.hpp>

#include "subcommands.hpp"

int main(int argc, char** argv) {
    CLI::App app(
        "Chorus's command: see what processes and threads cost here, and what a program's workers do.",
        "chorus");
    app.set_version_flag("--version", CHORUS_VERSION);
    app.require_subcommand(1);
    int status = 0;
    command::add_report(app, status);
    command::add_timeline(app, status);
    command::add_top(app, status);
    CLI11_PARSE(app, argc, argv);
    return status;
}
