// The subcommands of `chorus`. Each adds itself to the command line, and when it is the one that was asked
// for does its work while that is parsed, and says in `status` what the command exits with.
#pragma once

#include <CLI/CLI.hpp>

namespace command {

void add_report(CLI::App& app, int& status);
void add_timeline(CLI::App& app, int& status);
void add_top(CLI::App& app, int& status);

}  // namespace command
