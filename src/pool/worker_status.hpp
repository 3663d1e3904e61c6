// Per-worker status word in shared memory.
//
//   1. A worker writes which task it is about to take before it takes it. When the worker dies, its
//      pool reads here whether a task died with it.
//   2. A worker sends a result only if it moves the word from `running` to `answered`. A pool that ends
//      the task (deadline, cancellation) moves it to `doomed` first. One of the two wins, so no other
//      task of the worker is hit.
//   3. A worker that lost kills itself. It does not wait for the pool: a wild write of its own may have
//      changed the word, and then the pool is not about to kill it.
//   4. A worker that is idle while tasks wait (it was stopped) is ended in the same way: `recalled` if
//      it may have taken a task, which then goes to another worker.
//
// Thread safety: atomic; `doing` changes by compare-and-swap only.
// Crash safety: the word stays readable after the worker's death. A worker that crashed may have
// overwritten it: retry_policy.hpp says when it is believed.
#pragma once

#include <atomic>
#include <cstdint>

namespace chorus::inline v0::detail::pool {

/// Layout: one cache line, in memory of both. Writers: the worker; of `doing` also the pool's process,
/// which moves it to doomed or recalled. All by compare-and-swap.
struct alignas(64) WorkerStatus {
    enum Step : std::uint64_t { idle, taking, running, answered, doomed, recalled, step_mask = 7 };
    static constexpr Step step_of(std::uint64_t doing) noexcept {
        return static_cast<Step>(doing & step_mask);
    }
    static constexpr std::uint64_t task_of(std::uint64_t doing) noexcept { return doing >> 3; }
    static constexpr std::uint64_t with(std::uint64_t task, Step step) noexcept { return task << 3 | step; }

    std::atomic<std::uint64_t> doing{0};     ///< the task's id and the step
    std::atomic<std::uint32_t> item{0};      ///< number in the task queue of the message that is being taken
    std::atomic<std::uint32_t> at_queue{0};  ///< 1 while it makes room for an answer and holds a queue's lock
};

}  // namespace chorus::inline v0::detail::pool
