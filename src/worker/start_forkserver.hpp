// The fork server of this process, as its client sees it. Started by the first start_by_forkserver().
#pragma once

namespace chorus::inline v0::detail::worker {

/// Ends the server and waits for it.
void stop_fork_server();
/// In a copy made by fork: the server belongs to the original.
void forget_fork_server();

/// Has the server call a function before its first copy. Throws: UsageError if the server runs already.
void preload_in_fork_server(void (*load)());

}  // namespace chorus::inline v0::detail::worker
