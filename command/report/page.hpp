// The HTML page: one file, complete without any other, and without a script.
#pragma once

#include <string>

#include "results.hpp"

namespace command::report {

std::string page(const Results& results);

}  // namespace command::report
