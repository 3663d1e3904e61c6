#include <chorus/pool/internal/task_trace.hpp>

namespace chorus::pool {

void trace_submission(const Task& task) {
    trace::instant(trace::Kind::task, "submit " + task.function_name(), {{"task", static_cast<std::int64_t>(task.number)}});
    trace::begin_arrow(task.arrow);
}

void trace_beginning(trace::Span& span, std::string_view function, std::uint64_t number, std::uint64_t arrow) noexcept {
    span.begin(trace::Kind::task, function.empty() ? "task" : function, {{"task", static_cast<std::int64_t>(number)}});
    trace::end_arrow(arrow);
}

}  // namespace chorus::pool
