// The start methods. Each of the three is a file that can be read from top to bottom: start_fork.cpp,
// start_spawn.cpp, and start_forkserver.cpp with its server in fork_server.cpp.
//
// All of them have one interface: they make a process that receives a ChildRequest and a call
// (child_request.hpp) and runs child_main(), and they return the parent's handle of it.
#pragma once

#include "platform/file_descriptor.hpp"
#include "worker/child_request.hpp"
#include "worker/exit_words.hpp"
#include "worker/process_state.hpp"

namespace chorus::inline v0::detail::worker {

/// A child as its parent sees it.
struct StartedChild {
    int pid = 0;
    platform::FileDescriptor process;  ///< its handle (pidfd)
    ExitSlot exit;
};

/// Starts a child by this method. `report` is -1 for none. By fork it returns in the parent only.
/// Throws: OsError when the system refuses.
StartedChild start_child(StartMethod method, ChildRequest request, message::Call& call, int report);

// The rows of the table in start_child.cpp. Their contract is that of start_child().
StartedChild start_by_fork(ChildRequest request, message::Call& call, int report);
StartedChild start_by_spawn(ChildRequest request, message::Call& call, int report);
StartedChild start_by_forkserver(ChildRequest request, message::Call& call, int report);

}  // namespace chorus::inline v0::detail::worker
