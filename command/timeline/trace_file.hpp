// A trace as it stands in its file: one event a line, as src/trace/trace.hpp says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace command::timeline {

struct Event {
    char what = 0;    ///< B, E, i, s, f or M
    double time = 0;  ///< microseconds
    std::int64_t process = 0;
    std::int64_t thread = 0;
    std::string name;
    std::string kind;  ///< run, task, wait, message, life
    std::int64_t arrow = 0;
    std::map<std::string, std::string> texts;
    std::map<std::string, std::int64_t> numbers;

    std::string text(const std::string& key) const;
    std::int64_t number(const std::string& key, std::int64_t otherwise) const;
};

struct Trace {
    std::vector<Event> events;  ///< by time
    std::size_t torn = 0;       ///< lines whose writer died before their end, or that a full disk cut
};

/// One line that says what is wrong with which file.
struct BadTrace : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Throws: BadTrace.
Trace read_trace(const std::string& path);

}  // namespace command::timeline
