// A timeline as one HTML page that needs nothing else.
#pragma once

#include <string>

#include "timeline/rows.hpp"

namespace command::timeline {

std::string write_page(const Timeline& timeline);

/// "3 processes, 2 threads besides, 1.55 s"
std::string summary_of(const Timeline& timeline);

}  // namespace command::timeline
