// What a trace shows of a pool's task.
//
// Thread safety: any thread.
// Crash safety: as the trace's.
#pragma once

#include <cstdint>
#include <string_view>

#include <chorus/detail/pool/task.hpp>
#include "trace/trace.hpp"

namespace chorus::inline v0::detail::pool {

/// Where it was submitted. Requires: it has an arrow, and its number.
void trace_submission(const Task& task) noexcept;

/// Where it begins, in this thread and until the span ends.
void trace_beginning(trace::Span& span, std::string_view function, std::uint64_t number,
                     std::uint64_t arrow) noexcept;

}  // namespace chorus::inline v0::detail::pool
