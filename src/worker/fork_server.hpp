// The process of a fork server.
#pragma once

#include <memory>

#include "worker/child_request.hpp"
#include "worker/reexec.hpp"

namespace chorus::inline v0::detail::worker {

/// Makes this image, which was executed as a fork server, one. Serves until the client is gone. Returns
/// only in its children, settled in.
std::unique_ptr<ChildSetup> become_fork_server(Inheritance& inheritance);

/// Sends the client the exception that is being handled: what keeps this process from being a server.
void tell_what_prevents_it(int socket) noexcept;

}  // namespace chorus::inline v0::detail::worker
