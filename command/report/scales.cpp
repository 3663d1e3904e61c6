#include "scales.hpp"

#include <algorithm>
#include <cmath>

namespace command::report {
namespace {

constexpr double logarithmic_from_decades = 1.5;
constexpr double least_apart =
    0.18;  // of marks beside each other, as a share of the axis: they have room on a telephone
constexpr int most_ticks = 6;

// The largest of 1, 2, 5 times a power of ten that is not above the value.
double nice_below(double value) {
    const double power = std::pow(10, std::floor(std::log10(value)));
    for (const double step : {5.0, 2.0, 1.0}) {
        if (step * power <= value * (1 + 1e-9)) return step * power;
    }
    return power / 2;
}

bool spans_decades(const std::vector<double>& values) {
    const auto [low, high] = std::ranges::minmax(values);
    return low > 0 && std::log10(high / low) > logarithmic_from_decades;
}

std::vector<double> linear_ticks(double high, Unit unit) {
    const double base =
        unit == Unit::bytes && high > 1 ? std::pow(1024, std::floor(std::log(high) / std::log(1024))) : 1;
    const double step = std::max(nice_below(high / base / 2) * base, unit == Unit::count ? 1.0 : 0.0);
    std::vector<double> ticks;
    for (int i = 0; i * step <= high * (1 + 1e-9); ++i) ticks.push_back(i * step);
    return ticks;
}

std::vector<double> logarithmic_ticks(double low, double high, Unit unit) {
    const double base = unit == Unit::bytes ? 16 : 10;
    const int first = int(std::ceil(std::log(low) / std::log(base) - 1e-9));
    const int last = int(std::floor(std::log(high) / std::log(base) + 1e-9));
    const int stride = std::max(1, (last - first + most_ticks) / most_ticks);
    std::vector<double> ticks;
    for (int power = first; power <= last; power += stride) ticks.push_back(std::pow(base, power));
    return ticks;
}

// 1, 2 and 5 times the powers of ten, for an axis that has few of those.
std::vector<double> ticks_with_steps(double low, double high) {
    std::vector<double> ticks;
    for (double power = std::pow(10, std::floor(std::log10(low))); power <= high; power *= 10) {
        for (const double tick : {power, 2 * power, 5 * power}) {
            if (low <= tick && tick <= high) ticks.push_back(tick);
        }
    }
    return ticks;
}

Scale scale(const std::vector<double>& values, Unit unit, double room) {
    const auto [lowest, highest] = std::ranges::minmax(values);
    if (spans_decades(values)) {
        const double low = nice_below(lowest / 1.5);
        const double high = highest * (1 + 5 * room);
        const auto ticks = logarithmic_ticks(low, high, unit);
        return {low, high, true,
                ticks.size() > 3 || unit == Unit::bytes ? ticks : ticks_with_steps(low, high)};
    }
    const double high = highest > 0 ? highest * (1 + room) : 1;
    return {0, high, false, linear_ticks(high, unit)};
}

// The first, the last, and between them those that have room.
std::vector<double> thinned(const Scale& scale, const std::vector<double>& ticks) {
    const auto apart = [&](double left, double right) {
        return scale.place(right) - scale.place(left) >= least_apart - 1e-9;
    };
    std::vector<double> kept;
    for (const double tick : ticks) {
        if (kept.empty() || (apart(kept.back(), tick) && (tick == ticks.back() || apart(tick, ticks.back()))))
            kept.push_back(tick);
    }
    return kept;
}

}  // namespace

double Scale::place(double value) const {
    const double share = !logarithmic   ? (value - low) / (high - low)
                         : value <= low ? 0
                                        : std::log(value / low) / std::log(high / low);
    return std::clamp(share, 0.0, 1.0);
}

Scale scale_of_bars(const std::vector<double>& values, Unit unit) {
    Scale bars = scale(values, unit, 0);
    bars.ticks = thinned(bars, bars.ticks);
    return bars;
}
Scale scale_of_heights(const std::vector<double>& values, Unit unit) { return scale(values, unit, 0.1); }

Scale scale_across(std::vector<double> values) {
    std::ranges::sort(values);
    Scale across{values.front(), values.back(), true, {values.front()}};
    if (across.low == across.high) return {across.low / 2, across.high * 2, true, across.ticks};
    across.ticks = thinned(across, values);
    return across;
}

}  // namespace command::report
