#include "charts.hpp"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "quantities.hpp"
#include "scales.hpp"

namespace command::report {
namespace {

// In pixels.
constexpr double bar_height = 14;
constexpr double row_height = 50;
constexpr double bar_top = 24;  // in its row, below the words
constexpr double plot_height = 280;
constexpr double axis_height = 22;

std::string number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.2f", value);
    return text;
}
std::string percent(double share) { return number(100 * share) + "%"; }

std::string class_of(Kind kind) {
    return kind == Kind::threads ? "threads" : kind == Kind::processes ? "processes" : "neither";
}

std::string place_in_words(const Chart& chart, const Point& point) {
    return chart.across_unit == Unit::bytes ? quantity(point.at, Unit::bytes)
                                            : quantity(point.at, Unit::count) + " " + chart.across;
}

// What is seen, in words: the figures themselves, since there are few.
std::string description(const Chart& chart) {
    std::string words;
    for (const auto& series : chart.series) {
        words += (words.empty() ? "" : "; ") + series.name + ": ";
        for (const auto& point : series.points) {
            if (&point != &series.points.front()) words += ", ";
            words += quantity(point.figure.median, chart.unit);
            if (chart.shape == Shape::lines) words += " at " + place_in_words(chart, point);
        }
    }
    return words + ".";
}

std::vector<double> values_of(const Chart& chart) {
    std::vector<double> values;
    for (const auto& series : chart.series) {
        for (const auto& point : series.points) {
            values.push_back(point.figure.median);
            values.push_back(point.figure.high);
        }
    }
    return values;
}

Markup svg(const Chart& chart, const std::string& name, double height, const Markup& inside) {
    return tag("svg",
               {{"role", "img"},
                {"aria-labelledby", name + "-title " + name + "-desc"},
                {"width", "100%"},
                {"height", number(height)}},
               tag("title", {{"id", name + "-title"}}, chart.title),
               tag("desc", {{"id", name + "-desc"}}, description(chart)), inside);
}

Markup whisker(const Figure& figure, const Scale& scale, double y) {
    if (figure.rounds < 2 || figure.low == figure.high) return {};
    return tag("line", {{"class", "whisker"},
                        {"x1", percent(scale.place(figure.low))},
                        {"x2", percent(scale.place(figure.high))},
                        {"y1", number(y)},
                        {"y2", number(y)}});
}

Markup bar(const Series& series, const Chart& chart, const Scale& scale, double top) {
    const Figure& figure = series.points.front().figure;
    Markup drawn = tag("text", {{"class", "name"}, {"x", "0"}, {"y", number(top + 16)}}, series.name);
    drawn += tag("text", {{"class", "value"}, {"x", "100%"}, {"y", number(top + 16)}},
                 quantity(figure.median, chart.unit));
    drawn += tag("rect", {{"class", "bar " + class_of(series.kind)},
                          {"x", "0"},
                          {"y", number(top + bar_top)},
                          {"width", percent(std::max(scale.place(figure.median), 0.003))},
                          {"height", number(bar_height)},
                          {"rx", "2"}});
    drawn += whisker(figure, scale, top + bar_top + bar_height / 2);
    return drawn;
}

// The words at the ends of an axis stay inside the picture.
std::string anchor(double share) { return share < 0.05 ? "start" : share > 0.92 ? "end" : "middle"; }

Markup bars(const Chart& chart, const std::string& name) {
    const Scale scale = scale_of_bars(values_of(chart), chart.unit);
    const double bottom = row_height * double(chart.series.size());
    Markup drawn;
    for (const double tick : scale.ticks) {
        const double place = scale.place(tick);
        drawn += tag("line", {{"class", "rule"},
                              {"x1", percent(place)},
                              {"x2", percent(place)},
                              {"y1", "0"},
                              {"y2", number(bottom)}});
        drawn += tag("text",
                     {{"class", "tick"},
                      {"x", percent(place)},
                      {"y", number(bottom + 14)},
                      {"text-anchor", anchor(place)}},
                     quantity(tick, chart.unit));
    }
    for (std::size_t i = 0; i < chart.series.size(); ++i)
        drawn += bar(chart.series[i], chart, scale, row_height * double(i));
    const Markup drawn_whole = svg(chart, name, bottom + axis_height, drawn);
    return tag("div", {}, drawn_whole,
               scale.logarithmic
                   ? tag("p", {{"class", "across"}, {"aria-hidden", "true"}}, "the scale is logarithmic")
                   : Markup{});
}

Markup dot(Kind kind, const std::string& x, double y) {
    if (kind == Kind::processes) {
        return tag("rect", {{"class", "dot processes"},
                            {"x", x},
                            {"y", number(y - 4)},
                            {"width", "8"},
                            {"height", "8"},
                            {"transform", "translate(-4)"}});
    }
    return tag("circle", {{"class", "dot " + class_of(kind)},
                          {"cx", x},
                          {"cy", number(y)},
                          {"r", kind == Kind::threads ? "4.5" : "3"}});
}

Markup upright_whisker(const Figure& figure, const Scale& up, const std::string& x) {
    if (figure.rounds < 2 || figure.low == figure.high) return {};
    const auto y = [&](double value) { return number(plot_height * (1 - up.place(value))); };
    return tag(
        "line",
        {{"class", "whisker upright"}, {"x1", x}, {"x2", x}, {"y1", y(figure.low)}, {"y2", y(figure.high)}});
}

Markup line(const Series& series, const Scale& across, const Scale& up) {
    const auto x = [&](const Point& point) { return percent(across.place(point.at)); };
    const auto y = [&](const Point& point) { return plot_height * (1 - up.place(point.figure.median)); };
    Markup drawn;
    for (std::size_t i = 1; i < series.points.size(); ++i) {
        const auto &from = series.points[i - 1], &to = series.points[i];
        drawn += tag("line", {{"class", "line " + class_of(series.kind)},
                              {"x1", x(from)},
                              {"y1", number(y(from))},
                              {"x2", x(to)},
                              {"y2", number(y(to))}});
    }
    for (const auto& point : series.points) {
        drawn += upright_whisker(point.figure, up, x(point));
        drawn += dot(series.kind, x(point), y(point));
    }
    return drawn;
}

Markup grid(const Chart& chart, const Scale& across, const Scale& up) {
    Markup drawn;
    for (const double tick : up.ticks) {
        const std::string y = number(plot_height * (1 - up.place(tick)));
        drawn += tag("line", {{"class", "rule"}, {"x1", "0"}, {"x2", "100%"}, {"y1", y}, {"y2", y}});
        drawn += tag("text", {{"class", "tick"}, {"x", "-10"}, {"y", y}, {"dy", "4"}, {"text-anchor", "end"}},
                     quantity(tick, chart.unit));
    }
    for (const double tick : across.ticks) {
        const std::string x = percent(across.place(tick));
        drawn +=
            tag("line", {{"class", "rule"}, {"x1", x}, {"x2", x}, {"y1", "0"}, {"y2", number(plot_height)}});
        drawn += tag(
            "text", {{"class", "tick"}, {"x", x}, {"y", number(plot_height + 18)}, {"text-anchor", "middle"}},
            quantity(tick, chart.across_unit));
    }
    return drawn;
}

Markup legend(const Chart& chart) {
    Markup entries;
    for (const auto& series : chart.series) {
        const Markup sample = tag("svg", {{"width", "30"}, {"height", "12"}, {"aria-hidden", "true"}},
                                  tag("line", {{"class", "line " + class_of(series.kind)},
                                               {"x1", "1"},
                                               {"x2", "29"},
                                               {"y1", "6"},
                                               {"y2", "6"}}),
                                  dot(series.kind, "15", 6));
        entries += tag("li", {}, sample, series.name);
    }
    return tag("ul", {{"class", "legend"}}, entries);
}

Markup lines(const Chart& chart, const std::string& name) {
    std::vector<double> places;
    for (const auto& series : chart.series) {
        for (const auto& point : series.points) places.push_back(point.at);
    }
    const Scale across = scale_across(places);
    const Scale up = scale_of_heights(values_of(chart), chart.unit);
    Markup drawn = grid(chart, across, up);
    for (const auto& series : chart.series) drawn += line(series, across, up);
    const Markup plot = tag("div", {{"class", "plot"}}, svg(chart, name, plot_height, drawn));
    return tag("div", {}, legend(chart), plot,
               tag("p", {{"class", "across"}, {"aria-hidden", "true"}},
                   chart.across + (up.logarithmic ? "; both scales are logarithmic" : "")));
}

Markup data(double value, Unit unit) {
    return tag("data", {{"value", exactly(value)}}, quantity(value, unit));
}

Markup spread(const Figure& figure, Unit unit) {
    if (figure.rounds == 0) return tag("td", {}, "known, not measured");
    return tag("td", {}, data(figure.low, unit), " to ", data(figure.high, unit));
}

Markup row(const Chart& chart, const Series& series, const Point& point) {
    const bool has_places = chart.shape != Shape::bars;
    Markup cells = tag("th", {{"scope", "row"}}, series.name);
    if (has_places) cells += tag("td", {}, data(point.at, chart.across_unit));
    cells += tag("td", {}, data(point.figure.median, chart.unit));
    cells += spread(point.figure, chart.unit);
    cells += tag(
        "td", {},
        tag("data", {{"value", std::to_string(point.figure.rounds)}}, std::to_string(point.figure.rounds)));
    return tag("tr", {}, cells);
}

}  // namespace

Markup picture(const Chart& chart, const std::string& name) {
    return chart.shape == Shape::bars ? bars(chart, name) : lines(chart, name);
}

Markup table(const Chart& chart) {
    Markup head = tag("th", {{"scope", "col"}}, "who");
    if (chart.shape != Shape::bars) head += tag("th", {{"scope", "col"}}, chart.across);
    for (const char* const name : {"median", "middle half of the rounds", "rounds"})
        head += tag("th", {{"scope", "col"}}, name);
    Markup rows;
    for (const auto& series : chart.series) {
        for (const auto& point : series.points) rows += row(chart, series, point);
    }
    const Markup whole = tag("table", {}, tag("caption", {}, chart.title),
                             tag("thead", {}, tag("tr", {}, head)), tag("tbody", {}, rows));
    return tag("div",
               {{"class", "scroll"},
                {"tabindex", "0"},
                {"role", "region"},
                {"aria-label", chart.title + ": all figures"}},
               whole);
}

}  // namespace command::report
