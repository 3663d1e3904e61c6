#include "json.hpp"

#include <cstdio>

#include "quantities.hpp"

namespace report {
namespace {

std::string text(const std::string& value) {
    std::string quoted = "\"";
    for (const char c : value) {
        if (c == '"' || c == '\\') {
            quoted += '\\';
            quoted += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            char escape[8];
            std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
            quoted += escape;
        } else {
            quoted += c;
        }
    }
    return quoted + "\"";
}

template <class Items, class Write>
std::string list(const Items& items, Write write) {
    std::string all;
    for (const auto& item : items) all += (all.empty() ? "" : ", ") + write(item);
    return "[" + all + "]";
}

const char* name_of(Unit unit) {
    switch (unit) {
        case Unit::nanoseconds: return "ns";
        case Unit::bytes: return "bytes";
        case Unit::times: return "times";
        case Unit::percent: return "percent";
        case Unit::count: break;
    }
    return "count";
}

const char* name_of(Kind kind) { return kind == Kind::threads ? "threads" : kind == Kind::processes ? "processes" : "neither"; }

std::string point(const Point& point) {
    const Figure& figure = point.figure;
    return "{\"at\": " + exactly(point.at) + ", \"median\": " + exactly(figure.median) + ", \"low\": " + exactly(figure.low) +
           ", \"high\": " + exactly(figure.high) + ", \"rounds\": " + std::to_string(figure.rounds) + "}";
}

std::string series(const Series& series) {
    return "{\"name\": " + text(series.name) + ", \"kind\": " + text(name_of(series.kind)) + ", \"points\": " + list(series.points, point) + "}";
}

std::string chart(const Chart& chart) {
    return "{\"name\": " + text(chart.name) + ", \"title\": " + text(chart.title) + ", \"unit\": " + text(name_of(chart.unit)) +
           ", \"across\": " + text(chart.across) + ", \"series\": " + list(chart.series, series) + "}";
}

std::string part(const Part& part) {
    return "\n{\"name\": " + text(part.name) + ", \"title\": " + text(part.title) + ", \"means\": " + text(part.means) +
           ", \"failure\": " + text(part.failure) + ", \"notes\": " + list(part.notes, text) + ", \"charts\": " + list(part.charts, chart) + "}";
}

std::string advice(const Advice& advice) {
    return "\n{\"work\": " + text(advice.work) + ", \"use\": " + text(advice.use) + ", \"because\": " + text(advice.because) + "}";
}

}  // namespace

std::string json(const Results& results) {
    std::string facts;
    for (const auto& [name, value] : results.facts) facts += (facts.empty() ? "" : ", ") + text(name) + ": " + text(value);
    return std::string("{\"chorus report\": 1, \"quick\": ") + (results.quick ? "true" : "false") + ", \"facts\": {" + facts +
           "}, \"parts\": " + list(results.parts, part) + ",\n\"advice\": " + list(results.advice, advice) + "}\n";
}

}  // namespace report
