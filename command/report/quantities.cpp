#include "quantities.hpp"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <span>

namespace command::report {
namespace {

struct Step {
    const char* name;
    double size;
};

constexpr Step times_of_day[] = {{"ns", 1}, {"µs", 1e3}, {"ms", 1e6}, {"s", 1e9}};
constexpr Step amounts[] = {{"B", 1}, {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30}};

double three_digits(double value) {
    if (value == 0) return 0;
    const double unit = std::pow(10, std::floor(std::log10(std::abs(value))) - 2);
    return std::round(value / unit) * unit;
}

// 1,234 and 55.1.
std::string plain(double value) {
    char text[64];
    if (value < 100 && std::abs(value - std::round(value)) > 1e-9) {
        std::snprintf(text, sizeof text, "%.3g", value);
        return text;
    }
    std::snprintf(text, sizeof text, "%.0f", value);
    std::string digits = text;
    for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
    return digits;
}

std::string in_steps(double value, std::span<const Step> steps) {
    const Step* fitting = &steps.front();
    for (const auto& step : steps) {
        if (three_digits(value / step.size) >= 1) fitting = &step;
    }
    return plain(three_digits(value / fitting->size)) + "\u00a0" + fitting->name;
}

std::string ratio(double value) {
    char text[64];
    std::snprintf(text, sizeof text, "%.1f", value);
    return value < 9.95 ? text : plain(value < 1000 ? std::round(value) : three_digits(value));
}

}  // namespace

std::string quantity(double value, Unit unit) {
    switch (unit) {
        case Unit::nanoseconds: return value == 0 ? "0" : in_steps(value, times_of_day);
        case Unit::bytes: return value == 0 ? "0" : in_steps(value, amounts);
        case Unit::times: return ratio(value) + "×";
        case Unit::percent: return plain(value >= 10 ? std::round(value) : three_digits(value)) + "\u00a0%";
        case Unit::count: break;
    }
    return plain(std::round(value));
}

std::string times_in_words(double value) { return ratio(value) + " times"; }

std::string exactly(double value) {
    char text[64];
    const auto end = std::to_chars(text, text + sizeof text, value).ptr;
    return {text, end};
}

std::string counted(double count, const std::string& singular, const std::string& plural) {
    return quantity(count, Unit::count) + " " + (count == 1 ? singular : plural);
}

std::string counted(double count, Kind kind) {
    return kind == Kind::processes ? counted(count, "process", "processes")
                                   : counted(count, "thread", "threads");
}

}  // namespace command::report
