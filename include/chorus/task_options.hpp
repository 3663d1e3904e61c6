// TaskOptions: the limits of a pool's task, and how often it is tried again.
//
//     pool.submit({.timeout = 2s, .memory = 512_MiB, .retries = 2}, risky, x);
//     pool.map({.task = {.timeout = 2s}}, risky, xs);
//
// Threads: a value.
// Death: of the worker that runs the task: `.retries`.
#pragma once

#include <cstddef>
#include <optional>

#include <chorus/run.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus {

/// What may be said about a task before its function.
struct TaskOptions {
    std::optional<Timeout> timeout{};   ///< of each attempt, from when a worker has begun it: TimedOut
    std::optional<Timeout> cpu_time{};  ///< that each attempt may use, all threads of it together: TimedOut
    std::size_t memory = 0;   ///< bytes that it may allocate in a worker process, 0 for no limit: OutOfMemory
    int retries = 0;          ///< how often it is given out again after its worker died
    int timeout_retries = 0;  ///< the same after it was TimedOut
    std::size_t weight = 0;   ///< its part of the pool's .budget; 0: it needs none
};

}  // namespace chorus

#pragma GCC visibility pop
