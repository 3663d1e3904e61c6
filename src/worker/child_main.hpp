// What a child does from its first instruction to its exit code.
#pragma once

#include <chorus/detail/message/callable.hpp>
#include "worker/child_request.hpp"

namespace chorus::inline v0::detail::worker {

/// Runs the call and ends the process. Requires: the identity and surroundings are the child's.
/// `life_line` is its parent's; `report` is -1 for none.
[[noreturn]] void child_main(const ChildRequest& birth, message::Call& call, int report, int life_line);

}  // namespace chorus::inline v0::detail::worker
