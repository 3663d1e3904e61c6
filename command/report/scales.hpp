// Where a value lies on an axis, and where the axis is marked.
#pragma once

#include <vector>

#include "part.hpp"

namespace command::report {

struct Scale {
    double low = 0;
    double high = 1;
    bool logarithmic = false;
    std::vector<double> ticks{};

    /// 0 at the beginning of the axis, 1 at its end.
    double place(double value) const;
};

/// From 0, or logarithmic and from below the smallest when the values span more than a decade and a half.
Scale scale_of_bars(const std::vector<double>& values, Unit unit);
/// For lines: with a little room above the highest.
Scale scale_of_heights(const std::vector<double>& values, Unit unit);
/// For what doubles from left to right: logarithmic, marked where there are points, as far as the marks have
/// room.
Scale scale_across(std::vector<double> values);

}  // namespace command::report
