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

/// Arrows between rows that are drawn. If there are more than that, none is.
std::size_t drawable_arrows(const Timeline& timeline);
constexpr std::size_t most_arrows = 400;

}  // namespace command::timeline
