// The gate at which a child waits until its parent holds a handle to it.
//
// Without it a child may have ended, and its status been collected by somebody else in the parent
// (waitpid(-1), SIGCHLD ignored), before the parent could name it safely; and a parent that has no
// descriptor left for the handle could not take the start back.
#pragma once

#include <atomic>
#include <cstdint>

#include "platform/file_descriptor.hpp"

namespace chorus::inline v0::detail::worker {

/// Layout: one word in memory shared by parent and child, a birth's number * 4 + a State.
/// Parent: closed → open or refused; child: closed → asleep.
class Gate {
public:
    /// The parent's side. Before the birth with this number:
    void close(std::uint32_t birth) noexcept;
    /// After it: opens the child's handle and lets it begin. Throws: OsError when there is no descriptor
    /// for it; then the child has been sent away and collected.
    platform::FileDescriptor let_in(std::uint32_t birth, int pid);

    /// The child's side. Returns when it may begin; a child that was refused, or whose parent is gone,
    /// ends here.
    void wait(std::uint32_t birth, int parent_life_line) noexcept;

private:
    enum State : std::uint32_t { closed, asleep, open, refused };
    void answer(std::uint32_t birth, State state) noexcept;

    std::atomic<std::uint32_t> word_{0};
};

}  // namespace chorus::inline v0::detail::worker
