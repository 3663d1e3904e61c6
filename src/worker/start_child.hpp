// Makes a child by one of the three ways.
#pragma once

#include "worker/child_request.hpp"
#include "worker/process_state.hpp"

namespace chorus::inline v0::detail::worker {

/// What the child of this state is to be told. Requires: the state is locked by the caller.
ChildRequest birth_of(const ProcessState& state, StartMethod method);

/// By fork this returns in the parent only. `report` is -1 for none.
/// Throws: OsError when the system refuses.
Newborn start_child(StartMethod method, ChildRequest birth, message::Call& call, int report);

/// In a child by spawn that was handed the page of its parent's births (or none): it will tell of its end
/// there.
void tell_end_in_birth_page(platform::FileDescriptor page, std::uint32_t exit_word);

/// In a copy made by fork: the gate belongs to the other.
void forget_fork_gate();

}  // namespace chorus::inline v0::detail::worker
