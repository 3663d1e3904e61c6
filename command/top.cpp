#include "subcommands.hpp"

namespace command {

void add_top(CLI::App& app, int& status) {
    (void)app;
    (void)status;
}

}  // namespace command
