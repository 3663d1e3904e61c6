// What a part of the report tells: figures with their charts, and the words for them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace command::report {

/// A quantity that was measured in several rounds.
struct Figure {
    double median = 0;
    double low = 0;          ///< the middle half of the rounds lies between low…
    double high = 0;         ///< …and high
    std::size_t rounds = 0;  ///< 0: it was not measured but is known
};

enum class Unit { nanoseconds, bytes, times, percent, count };
enum class Kind { threads, processes, neither };
enum class Shape { bars, lines, table };  ///< a table without a picture has places across, as lines have

struct Point {
    double at = 0;  ///< on the axis across; bars have none
    Figure figure;
};

struct Series {
    std::string name;
    Kind kind = Kind::neither;
    std::vector<Point> points;
};

struct Chart {
    std::string name;  ///< by which it is found, here and in the JSON
    std::string title;
    Shape shape = Shape::bars;
    Unit unit = Unit::nanoseconds;
    std::string across{};  ///< what the axis across shows
    Unit across_unit = Unit::count;
    std::vector<Series> series{};

    void add(std::string series_name, Kind kind, const Figure& figure, double at = 0);
};

/// What is said first, in the page's summary and on the terminal.
struct Headline {
    std::string big;
    std::string words;
};

struct Part {
    std::string name;
    std::string title;
    std::string claim;  ///< what the article says
    std::string done;   ///< what is measured
    std::vector<Chart> charts{};
    Headline headline{};
    std::string means{};               ///< what the figures mean on this machine
    std::vector<std::string> notes{};  ///< what else one has to know
    std::string output{};              ///< text to be shown as it is
    std::string failure{};             ///< why it could not be measured, or not all of it

    Chart& add_chart(Chart chart);
    /// nullptr if that was not measured.
    const Figure* find(std::string_view chart, std::string_view series, double at = 0) const;
};

using Parts = std::vector<Part>;

/// nullptr if there is no such part, or that was not measured.
const Figure* find(const Parts& parts, std::string_view part, std::string_view chart, std::string_view series,
                   double at = 0);

}  // namespace command::report
