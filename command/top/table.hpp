// What is shown of a program: lines of text.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "program.hpp"

namespace command::top {

/// `before` is the same program `seconds` ago, for rates; 0 seconds: there is none, and no rates are shown.
/// Returns lines of at most so many columns, and at most so many of them: what has no room is counted in the
/// last.
std::vector<std::string> table(const Program& now, const Program& before, double seconds, std::size_t columns,
                               std::size_t most_lines);

}  // namespace command::top
