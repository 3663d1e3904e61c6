#include "statistics.hpp"

#include <algorithm>

namespace command::report {

Figure figure_of(std::vector<double> values) {
    std::ranges::sort(values);
    const std::size_t count = values.size();
    return {values[count / 2], values[count / 4], values[count - 1 - count / 4], count};
}

}  // namespace command::report
