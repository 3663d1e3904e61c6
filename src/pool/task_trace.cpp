#include "pool/task_trace.hpp"

#include <exception>
#include <string>

namespace chorus::inline v0::detail::pool {

void trace_submission(const Task& task) noexcept {
    std::string what = "submit";
    try {
        what += " " + task.function_name();
    } catch (const std::exception&) {  // no memory for its name
    }
    trace::instant(trace::Kind::task, what, {{"task", static_cast<std::int64_t>(task.number)}});
    trace::begin_arrow(task.arrow);
}

void trace_beginning(trace::Span& span, std::string_view function, std::uint64_t number,
                     std::uint64_t arrow) noexcept {
    span.begin(trace::Kind::task, function.empty() ? "task" : function,
               {{"task", static_cast<std::int64_t>(number)}});
    trace::end_arrow(arrow);
}

}  // namespace chorus::inline v0::detail::pool
