#include "subcommands.hpp"

namespace command {

void add_timeline(CLI::App& app, int& status) {
    (void)app;
    (void)status;
}

}  // namespace command
