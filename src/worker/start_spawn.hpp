// The child's side of the start method spawn.
#pragma once

#include <memory>

#include "worker/child_request.hpp"
#include "worker/reexec.hpp"

namespace chorus::inline v0::detail::worker {

/// Makes this image, which was executed as a spawned child, what its request says. Throws: DecodeError.
std::unique_ptr<ChildSetup> become_spawned_child(Inheritance& inheritance);

}  // namespace chorus::inline v0::detail::worker
