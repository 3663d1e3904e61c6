// The results for programs.
//
//     {"chorus report": 1, "quick": …, "facts": {…},
//      "parts": [{"name": …, "title": …, "means": …, "failure": …, "notes": […], "charts": [CHART, …]}, …],
//      "advice": [{"work": …, "use": …, "because": …}, …]}
//
//     CHART: {"name": …, "title": …, "unit": "ns", "bytes", "times", "percent" or "count", "across": …,
//             "series": [{"name": …, "kind": …, "points": [POINT, …]}, …]}
//     POINT: {"at": …, "median": …, "low": …, "high": …, "rounds": …}
//
// "low" and "high" are the quartiles; 0 rounds say that a figure is known and was not measured; bars are "at"
// 0.
#pragma once

#include <string>

#include "results.hpp"

namespace command::report {

std::string json(const Results& results);

}  // namespace command::report
