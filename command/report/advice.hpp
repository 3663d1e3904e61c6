// What to take for which work, by what was measured here.
#pragma once

#include <string>
#include <vector>

#include "part.hpp"

namespace command::report {

struct Advice {
    std::string work;     ///< "your work …"
    std::string use;      ///< what to take for it
    std::string because;  ///< what was measured, as a sentence
};

/// In the order of the page. Where the figures are missing there is no advice.
std::vector<Advice> advice_from(const Parts& parts);

}  // namespace command::report
