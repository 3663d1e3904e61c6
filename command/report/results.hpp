// All that a run of the report has found.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "advice.hpp"
#include "part.hpp"

namespace command::report {

struct Results {
    bool quick = false;
    std::string busy{};  ///< a warning, if other programs were at work
    std::vector<std::pair<std::string, std::string>> facts{};
    Parts parts{};
    std::vector<Advice> advice{};
};

}  // namespace command::report
