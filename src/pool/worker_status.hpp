// Per-worker status word in shared memory.
//
//   1. A worker writes which task it is about to take before it takes it. When the worker dies, its pool
//      reads here whether a task died with it.
//   2. A worker sends a result only if it moves the word from `running` to `answered`. A pool that ends the
//      task (deadline, cancellation) moves it to `doomed` first. One of the two wins, so no other task of the
//      worker is hit.
//   3. A worker that lost kills itself. It does not wait for the pool: a wild write of its own may have
//      changed the word, and then the pool is not about to kill it.
//   4. A worker that is idle while tasks wait (it was stopped) is ended in the same way: `recalled` if it may
//      have taken a task, which then goes to another worker.
#pragma once

#include <atomic>
#include <cstdint>

namespace chorus::inline v0::detail::pool {

/// Layout: one cache line, in memory of both. Writers: the worker; of `doing` also the pool's process, which
/// moves it to doomed or recalled. All by compare-and-swap.
struct alignas(64) WorkerStatus {
    enum Step : std::uint64_t { idle, taking, running, answered, doomed, recalled, step_mask = 7 };
    static constexpr Step step_of(std::uint64_t doing) noexcept {
        return static_cast<Step>(doing & step_mask);
    }
    static constexpr std::uint64_t task_of(std::uint64_t doing) noexcept { return doing >> 3; }
    static constexpr std::uint64_t with(std::uint64_t task, Step step) noexcept { return task << 3 | step; }

    std::atomic<std::uint64_t> doing{0};  ///< the task's id and the step
    std::atomic<std::uint32_t> item{
        0};  ///< the message that is being taken, by its number in the queue of tasks

    std::atomic<std::uint32_t> at_queue{
        0};  ///< it makes room for an answer, with a lock of the queue's in its hands
};

/// The last word of a header: so one that was written over on its way is not believed.
constexpr std::uint64_t seal_of(std::uint64_t first, std::uint64_t second) noexcept {
    return (first ^ 0x9e3779b97f4a7c15) * 0xff51afd7ed558ccd + second * 0xc4ceb9fe1a85ec53;
}

/// In front of a task's call.
struct TaskHeader {
    /// limits: TaskLimits follow; traced: then the arrow to its beginning and the function's name.
    enum Flags : std::uint64_t { none, tell_when_begun = 1, has_limits = 2, is_traced = 4 };
    std::uint64_t id = 0;        ///< 0: no task; who takes it leaves
    std::uint64_t flags = none;  ///< above their byte, if it is traced: its number among the pool's tasks
    std::uint64_t seal = 0;
    void close() noexcept { seal = seal_of(id, flags); }
    bool is_whole() const noexcept { return seal == seal_of(id, flags); }
    static constexpr int bits_of_flags = 8;
};
struct TaskLimits {
    std::uint64_t memory = 0;   ///< bytes that it may allocate; 0: as the worker
    std::int64_t cpu_time = 0;  ///< nanoseconds; 0: no limit
};

/// In front of what the pool's process hears. It says some of it to itself, to hear all in one order.
struct AnswerHeader {
    enum Kind : std::uint32_t {
        outcome,          ///< text of the stack (if an exception needs it), then as message/outcome writes it
        begun,            ///< a task that asked for it
        ready,            ///< a worker waits for tasks
        not_initialised,  ///< then the exception
        died,             ///< a worker
        look_again,       ///< for a task that may have gone with a worker
        lost_with_note,   ///< a task that no worker notes any more
        generation_over,  ///< of channels, whose number stands for the worker: nothing more comes from them
        wake_up           ///< nothing more
    };
    std::uint64_t id = 0;  ///< of the task
    std::uint32_t worker = 0;
    Kind kind = outcome;
    std::uint64_t seal = 0;
    void close() noexcept { seal = seal_of(id, worker | std::uint64_t{kind} << 32); }
    bool is_whole() const noexcept { return seal == seal_of(id, worker | std::uint64_t{kind} << 32); }
};

}  // namespace chorus::inline v0::detail::pool
