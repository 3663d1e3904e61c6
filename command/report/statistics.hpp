// From the values of several rounds to one figure.
#pragma once

#include <chrono>
#include <utility>
#include <vector>

#include "part.hpp"

namespace command::report {

/// Median and quartiles. Requires: there are values.
Figure figure_of(std::vector<double> values);

template <class Work>
double nanoseconds(Work&& work) {
    using Clock = std::chrono::steady_clock;
    const auto begin = Clock::now();
    std::forward<Work>(work)();
    return std::chrono::duration<double, std::nano>(Clock::now() - begin).count();
}

}  // namespace command::report
