// Text in a terminal's columns. Names come from other programs: what would move the cursor is no text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace command::top {

/// What is no printable character, or no UTF-8, becomes a question mark.
std::string printable(std::string_view text);

/// Columns that a printable text takes, as the locale knows its characters.
std::size_t width_of(std::string_view text);

/// As much of it as fits into so many columns.
std::string cut(std::string_view text, std::size_t columns);

}  // namespace command::top
