// The gate: a child waits here until its parent holds a handle of it.
//
// Without the gate the child could end, and other code in the parent could collect its status
// (waitpid(-1), SIGCHLD ignored), before the parent has a handle that names the child safely. A parent
// that has no descriptor left for the handle could not take the start back.
//
// Invariants:
// 1. Layout: one word in memory shared by parent and child, the number of a start * 4 + a State.
// 2. Transitions: the parent makes it closed, then open or refused; the child makes closed asleep.
// 3. The parent closes the gate for the next start only after it has answered the child of the last
//    one.
//
// Crash safety: a child whose parent dies before it answers sees the parent's life line cut, and ends.
#pragma once

#include <atomic>
#include <cstdint>

#include "platform/file_descriptor.hpp"

namespace chorus::inline v0::detail::worker {

class Gate {
public:
    /// The parent's side, before the start with this number.
    void close(std::uint32_t start) noexcept;
    /// The parent's side, after it: opens the child's handle and lets the child begin. Throws: OsError
    /// if there is no descriptor for the handle; then the child has been refused and collected.
    platform::FileDescriptor let_in(std::uint32_t start, int pid);

    /// The child's side. Returns when the child may begin. Ends a child that was refused, or whose
    /// parent has died.
    void wait(std::uint32_t start, int parent_life_line) noexcept;

private:
    enum State : std::uint32_t { closed, asleep, open, refused };
    void answer(std::uint32_t start, State state) noexcept;

    std::atomic<std::uint32_t> word_{0};
};

}  // namespace chorus::inline v0::detail::worker
