// The registry of this process's children: started, and not yet collected.
//
// Invariants:
// 1. A child is in the registry from its start until poll_locked() collects it.
// 2. The registry's mutex is acquired after the mutex of a ProcessState, never before it.
//
// Thread safety: every function may be called from any thread.
#pragma once

#include <vector>

#include "worker/process_state.hpp"

namespace chorus::inline v0::detail::worker {

/// Makes the set of handles. Called before a child is made: a child that has no place in the set could
/// not be awaited. Throws: OsError.
void prepare_to_add_child();
/// Throws: OsError; then the child was not added.
void add_child(const ProcessPointer& state, int pid, int process);
void remove_child(int pid, int process);

/// Collects those that have ended. Requires: the caller holds no mutex of a ProcessState.
void collect_ended_children();
/// Those that have not ended, in the order in which they were made.
std::vector<ProcessPointer> living_children();
/// Ends daemons, then joins all. Returns false if there were none.
bool join_children();
/// In a copy made by fork: it has no children.
void forget_children();

}  // namespace chorus::inline v0::detail::worker
