// The two queues between a pool and its workers.
//
// They are memory that workers can write to. When one may have written where it should not, the pool makes
// others: new workers get those, and the old ones are heard until they have done what they hold. So there may
// be several, one generation after the other.
//
// Threads: any.
// Death: as the queues'.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include <chorus/detail/channel/queue_access.hpp>

namespace chorus::inline v0::detail::pool {

struct Channels {
    channel::QueuePointer tasks;
    channel::QueuePointer answers;
    std::uint32_t generation = 0;
    /// Damage was found: what was in them is lost.
    std::atomic<bool> is_lost{false};
};
using ChannelsPointer = std::shared_ptr<Channels>;

}  // namespace chorus::inline v0::detail::pool
