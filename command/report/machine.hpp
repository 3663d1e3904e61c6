// The machine and the run, for the reader of the figures.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace command::report {

/// Names and values, in the order in which they are shown. What the system does not tell is left out.
std::vector<std::pair<std::string, std::string>> facts(bool quick);

/// What to tell the reader if other programs keep the CPUs busy now; "" if they do not.
std::string busy_with_others();

}  // namespace command::report
