// A timeline as SVG: time goes from left to right over the whole width, whatever that is.
#pragma once

#include <string>

#include "timeline/rows.hpp"

namespace command::timeline {

enum class Place {
    in_page,  ///< as wide as the page lets it be
    alone     ///< a file of its own, with a ground and a size
};

std::string draw(const Timeline& timeline, Place place);

/// Rows that are drawn at most.
constexpr std::size_t most_rows = 300;

}  // namespace command::timeline
