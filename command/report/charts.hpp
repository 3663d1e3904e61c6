// Charts in SVG, whose places are shares of their width: so they fit a telephone and a desk, and their words
// stay as large as others.
#pragma once

#include <string>

#include "markup.hpp"
#include "part.hpp"

namespace command::report {

/// With title and description for readers that cannot see it. The name is unique in the page.
Markup picture(const Chart& chart, const std::string& name);
/// All figures of the chart. Each number is in a data element whose value has all digits.
Markup table(const Chart& chart);

}  // namespace command::report
