// What a trace shows of a queue: its waits, by the name of the call, and its messages.
#pragma once

#include "channel/ring.hpp"

namespace chorus::inline v0::detail::channel {

enum class Call { put, get, join, poll };

/// Null for waits that a trace does not show.
const char* name_of(const OpenQueue& queue, Call call) noexcept;
/// What is about to be committed: put or got. Requires: the side's lock is held; it all lies in this
/// ring.
/// Throws: Damaged.
void trace_messages(const Rings& rings, Call call, const RingView& view, Index from, Index to);

}  // namespace chorus::inline v0::detail::channel
