#include "json.hpp"

#include <nlohmann/json.hpp>

namespace command::report {
namespace {

using Json = nlohmann::ordered_json;

template <class Items, class Write>
Json list(const Items& items, Write write) {
    Json all = Json::array();
    for (const auto& item : items) all.push_back(write(item));
    return all;
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

const char* name_of(Kind kind) {
    return kind == Kind::threads ? "threads" : kind == Kind::processes ? "processes" : "neither";
}

Json point(const Point& point) {
    const Figure& figure = point.figure;
    return {{"at", point.at},
            {"median", figure.median},
            {"low", figure.low},
            {"high", figure.high},
            {"rounds", figure.rounds}};
}

Json series(const Series& series) {
    return {{"name", series.name}, {"kind", name_of(series.kind)}, {"points", list(series.points, point)}};
}

Json chart(const Chart& chart) {
    return {{"name", chart.name},
            {"title", chart.title},
            {"unit", name_of(chart.unit)},
            {"across", chart.across},
            {"series", list(chart.series, series)}};
}

Json part(const Part& part) {
    return {{"name", part.name},       {"title", part.title}, {"means", part.means},
            {"failure", part.failure}, {"notes", part.notes}, {"charts", list(part.charts, chart)}};
}

Json advice(const Advice& advice) {
    return {{"work", advice.work}, {"use", advice.use}, {"because", advice.because}};
}

}  // namespace

std::string json(const Results& results) {
    Json facts = Json::object();
    for (const auto& [name, value] : results.facts) facts[name] = value;
    const Json all = {{"chorus report", 1},
                      {"quick", results.quick},
                      {"facts", facts},
                      {"parts", list(results.parts, part)},
                      {"advice", list(results.advice, advice)}};
    return all.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace command::report
