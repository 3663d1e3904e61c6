// What each child does, by all start methods, from its first instruction to its exit code.
//
// 1. An executed image (spawn, fork server) takes its inheritance and its request:
//    setup_of_executed_image(). A copy (fork) has both already.
// 2. child_main() ties the child to its parent's life line if it has to die with it, sets its signal
//    mask,
// runs the
//    call, and ends the process with its exit code.
//
// Crash safety: the crash handler writes the exit word, and the report if there is one (report.hpp).
#pragma once

#include <memory>

#include <chorus/detail/message/callable.hpp>
#include "worker/child_request.hpp"

namespace chorus::inline v0::detail::worker {

/// What the child is to do, if this image was executed as one or as a fork server; null if it was not.
/// Sets the parent's life line. A fork server returns in its children only. Ends the process if it
/// cannot become what it was executed for.
std::unique_ptr<ChildSetup> setup_of_executed_image(const char* program, int& life_line);

/// Runs the call and ends the process. Requires: the identity and surroundings are the child's.
/// `life_line` is its parent's; `report` is -1 for none.
[[noreturn]] void child_main(const ChildRequest& request, message::Call& call, int report, int life_line);

}  // namespace chorus::inline v0::detail::worker
