// A trace put in order: a row for each process and each thread, and on it what was done when.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "timeline/trace_file.hpp"

namespace command::timeline {

/// Times are microseconds from the first event on.
struct Span {
    double from = 0;
    double to = 0;
    std::string name;
    std::string kind;
    std::size_t level = 0;  ///< 0: in no other span
    std::int64_t task = 0;  ///< its number in its pool; 0: it is none
    std::string ending{};   ///< if it did not end by itself: why
};

struct Mark {
    enum class Kind { died, left, put, got };  ///< left: with an exit code that is not 0
    double at = 0;
    Kind kind = Kind::died;
    std::string text;
};

struct Row {
    std::string name;
    std::int64_t process = 0;
    std::int64_t thread = 0;
    std::size_t depth = 0;  ///< how many processes it is below
    bool is_main = false;   ///< the first thread stands for its process
    std::vector<Span> spans;
    std::vector<Mark> marks;

    std::size_t levels() const noexcept;
    bool has(Mark::Kind kind) const noexcept;
};

/// From one row to another.
struct Arrow {
    std::size_t from_row = 0;
    double from = 0;
    std::size_t to_row = 0;
    double to = 0;
    std::string kind;  ///< task, message
};

struct Timeline {
    std::string program;
    double length = 0;
    double scale = 0;       ///< what the picture's width stands for; the length, or more
    std::vector<Row> rows;  ///< each below the one that started it
    std::vector<Arrow> arrows;
    std::size_t torn = 0;
};

Timeline put_in_order(const Trace& trace);

}  // namespace command::timeline
