// Numbers: as people read them, and as programs do.
#pragma once

#include <string>

#include "part.hpp"

namespace command::report {

/// 55.1 ns, 1.25 ms, 64 KiB, 1.9×, 37 %; a count is shown to its last digit. Three digits are meant, and no
/// more shown.
std::string quantity(double value, Unit unit);
/// "12.3 times"; of a ratio.
std::string times_in_words(double ratio);
/// All digits, for programs: what is read from it is the same number. The page and the JSON have the same
/// text.
std::string exactly(double value);
/// "1 thread", "3 threads".
std::string counted(double count, const std::string& singular, const std::string& plural);
std::string counted(double count, Kind kind);

}  // namespace command::report
