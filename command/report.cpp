#include "subcommands.hpp"

namespace command {

void add_report(CLI::App& app, int& status) {
    (void)app;
    (void)status;
}

}  // namespace command
