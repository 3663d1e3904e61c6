#include "part.hpp"

#include <algorithm>
#include <utility>

namespace command::report {

void Chart::add(std::string series_name, Kind kind, const Figure& figure, double at) {
    auto found = std::ranges::find(series, series_name, &Series::name);
    if (found == series.end()) found = series.insert(series.end(), {std::move(series_name), kind, {}});
    found->points.push_back({at, figure});
}

Chart& Part::add_chart(Chart chart) { return charts.emplace_back(std::move(chart)); }

const Figure* Part::find(std::string_view chart, std::string_view series, double at) const {
    const auto in = std::ranges::find(charts, chart, &Chart::name);
    if (in == charts.end()) return nullptr;
    const auto line = std::ranges::find(in->series, series, &Series::name);
    if (line == in->series.end()) return nullptr;
    const auto point = std::ranges::find(line->points, at, &Point::at);
    return point == line->points.end() ? nullptr : &point->figure;
}

const Figure* find(const Parts& parts, std::string_view part, std::string_view chart, std::string_view series,
                   double at) {
    const auto found = std::ranges::find(parts, part, &Part::name);
    return found == parts.end() ? nullptr : found->find(chart, series, at);
}

}  // namespace command::report
