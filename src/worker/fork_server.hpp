// The fork server: a fresh image of the program that copies itself on request.
//
// It is single-threaded and small, so copying it is quick and safe whatever its client does. A library may
// start a thread before main, or in a preload: such a server is not copied, as that thread would be missing
// in the copy and a lock that it holds there for ever (at-fork handlers, by which fork() spares libraries
// that, are not known to who makes a sibling). Its client is told, and spawns its children. The copies
// are made as its siblings: children of the client, which waits for them as for any child. All that a
// child is told is read and carried out by the server, before it copies itself: there the code for it
// is in memory, while in a copy each page that is touched has to be fetched anew.
//
// One page is shared between client and server. `born` commits a start: the client clears it before a
// request, and the kernel stores the child's pid there while it makes the child and before that runs.
// If the server is killed in between, the client finds in it whether the child exists. So a start
// happens once or not at all. The child waits at a gate until the client holds its handle.
//
// To be woken takes a process nearly as long as a start does. So the server is woken while its request is
// still being written, the client watches `born` for about as long as a start takes, giving way to others
// at every look, before it sleeps on the socket, and the server gives way to the child it has made.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "platform/file_descriptor.hpp"
#include "worker/child_request.hpp"

namespace chorus::inline v0::detail::worker {

// ---- the client's side ----

/// Starts a child through this process's server, which is started first if there is none. Returns nothing
/// where the server cannot be copied: the child is to be spawned, with this birth, which then tells what the
/// server would have loaded for it.
/// Throws: OsError when the system has no more processes.
std::optional<Newborn> start_by_fork_server(ChildRequest& birth, const message::Call& call, int report);

/// Ends the server and waits for it.
void stop_fork_server();
/// In a copy made by fork: the server belongs to the other.
void forget_fork_server();

void preload_in_fork_server(void (*load)());

// ---- the server's side ----

/// Serves until the client is gone. Returns only in children, settled in. Between two of them it holds
/// none of their streams or directories.
std::unique_ptr<ChildSetup> serve(platform::FileDescriptor& socket, platform::FileDescriptor hand_over,
                                  int life_line, bool has_preloads);
/// Tells the client the exception that is being handled: what keeps this process from being a server.
void tell_what_prevents_it(int socket) noexcept;

}  // namespace chorus::inline v0::detail::worker
