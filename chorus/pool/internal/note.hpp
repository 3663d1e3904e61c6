// What a pool and one of its worker processes know of each other besides the messages.
//
// A worker notes which task it is about to take before it takes it: so its pool can tell, whenever it dies, whether a
// task went with it. And it may answer only if it moves its note from `running` to `answered`: who wants to end the task
// (its time is up, it was cancelled) moves it to `doomed` first. One of the two wins; a worker that lost waits to be killed,
// and no other task is ever hit.
#pragma once

#include <atomic>
#include <cstdint>

namespace chorus::pool {

/// Layout: one cache line, in memory of both. Writers: the worker; of `doing` also the pool's process, which moves it
/// from taking or running to doomed.
struct alignas(64) Note {
    enum Step : std::uint64_t { idle, taking, running, answered, doomed, step_mask = 7 };
    static constexpr std::uint64_t with(std::uint64_t task, Step step) noexcept { return task << 3 | step; }

    std::atomic<std::uint64_t> doing{0};  ///< the task's id and the step
    std::atomic<std::uint32_t> item{0};   ///< the message that is being taken, by its number in the queue of tasks

    enum Stage : std::uint32_t { starting, ready, leaving };
    std::atomic<std::uint32_t> stage{starting};
};

/// In front of a task's call.
struct TaskHeader {
    std::uint64_t id = 0;
    std::uint64_t tell_when_begun : 1 = 0;
    std::uint64_t memory : 63 = 0;  ///< bytes that it may allocate; 0: as the worker
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
        wake_up           ///< nothing more
    };
    std::uint64_t id = 0;  ///< of the task
    std::uint32_t worker = 0;
    Kind kind = outcome;
};

}  // namespace chorus::pool
