// The errors that end a task: their exceptions and texts.
//
// Thread safety: functions of their arguments; the caller is the only thread that ends the task.
// Crash safety: what a dead worker left (report, last lines) has been collected by the caller.
#pragma once

#include <cstddef>
#include <exception>
#include <string>

#include <chorus/detail/pool/task.hpp>
#include "worker/report.hpp"

namespace chorus::inline v0::detail::pool {

/// It exceeded its timeout or CPU time. Discards the call.
std::exception_ptr late_error(Task& task, Deadline TaskOptions::*limit);
/// Its worker died. `memory`: the worker's peak in bytes; 0: not known. Discards the call.
std::exception_ptr death_error(Task& task, const worker::Death& death, std::size_t memory,
                               std::string last_lines);
/// Adds the task's position to an OutOfMemory that a worker threw: the worker does not know it.
std::exception_ptr with_position(std::exception_ptr thrown, const Task& task);
/// Ends the task. Requires: no lock; callbacks of the future run here.
void fail(Task& task, std::exception_ptr error);

}  // namespace chorus::inline v0::detail::pool
