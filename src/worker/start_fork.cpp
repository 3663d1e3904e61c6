// The start method fork: a copy of this process, as fork() makes it, with only the calling thread.
//
// The child has the call and the request already: nothing is encoded. An at-fork hook (lifetime.cpp)
// forgets what belongs to the original: children, threads, fork server, life line, parent pages.
//
// Invariants:
// 1. One start at a time: the mutex of the parent pages is held throughout. It is held in the copy too,
//    where the at-fork hook makes it anew.
// 2. The child waits at the gate before its first step. If the parent gets no descriptor for the
//    child's handle, the gate refuses the child, and the start has not happened.
// 3. The child never returns from here. Its statics belong to the original, and are not destroyed.
//
// Crash safety: if the parent dies before it opens the gate, the child finds the parent's life line
// cut, and ends. The life line is duplicated before the copy is made, because the hook drops the
// original.
#include "worker/start_child.hpp"

#include <cstdio>
#include <iostream>
#include <mutex>
#include <utility>

#include <chorus/errors.hpp>
#include "platform/process_handle.hpp"
#include "platform/process_start.hpp"
#include "sync/shared_runtime.hpp"
#include "worker/child_main.hpp"
#include "worker/identity.hpp"
#include "worker/lifetime.hpp"
#include "worker/parent_pages.hpp"
#include "worker/reexec.hpp"

namespace chorus::inline v0::detail::worker {

StartedChild start_by_fork(ChildRequest request, message::Call& call, int report) {
    if (!platform::can_open_processes()) {
        throw UsageError(
            "this valgrind does not know the system call pidfd_open, without which a copy of this process "
            "cannot be watched: take a newer valgrind, or choose set_start_method(\"spawn\")");
    }
    // Buffered output would be written twice, by the parent and by its copy.
    std::cout.flush();
    std::clog.flush();
    std::fflush(nullptr);
    sync::shared_runtime();
    const auto life_line = platform::duplicate(life_line_descriptor());
    auto& parent = parent_pages();
    const std::lock_guard guard(parent.mutex);
    auto& pages = parent.ready();
    ExitSlot exit(parent.exits);
    const std::uint32_t start = ++parent.starts;
    pages.gate.close(start);
    const int pid = platform::fork_process();
    if (pid == 0) {
        pages.gate.wait(start, life_line.get());
        tell_end_at(pages.exit_words, exit.number());
        if (parent.inherited) parent.inherited->unmap_beginning(page_size);
        identity() = std::move(request.identity);
        leave_statics_to_their_maker();
        child_main(request, call, report, life_line.get());
    }
    auto process = pages.gate.let_in(start, pid);
    return {pid, std::move(process), std::move(exit)};
}

}  // namespace chorus::inline v0::detail::worker
