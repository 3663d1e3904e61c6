// Worker starter: starts worker processes while there are fewer than the tasks need.
//
// Thread safety: the backend's thread. Requires: no lock.
// Crash safety: a worker whose death the kernel could not report to the pool is killed at once, and its death
// posted.
#pragma once

#include "platform/signal_mask.hpp"
#include "pool/pool_state.hpp"

namespace chorus::inline v0::detail::pool {

class WorkerStarter {
public:
    WorkerStarter(PoolState& state, ChannelSet& channels) noexcept : state_(state), channels_(channels) {}

    /// `signals`: the mask that the workers set. If there is no worker and none can be started, the pool is
    /// broken.
    void start_missing(const platform::SignalMask& signals);

private:
    void start_one(const platform::SignalMask& signals);

    PoolState& state_;
    ChannelSet& channels_;
};

}  // namespace chorus::inline v0::detail::pool
