// Crash recovery: replaces channels that a crashed worker may have damaged, and finds the tasks that
// are lost with a worker's status.
//
//   1. After a crash the current channels become older ones, and workers that start get new ones. Tasks
//      that no worker had taken are given out through the new ones.
//   2. What comes through older channels is passed on through the current ones once no leader reads the
//      older ones: so everything that a worker has sent is received in its order.
//   3. Older channels are over when all of their workers are dead, those deaths are handled and the
//      channels are read to the end. A task placed there that has no outcome then is lost.
//   4. A worker that crashed may have overwritten its status, so that the status does not name its
//      task. Such a task has three properties: a worker has taken it (tasks that were not taken have
//      been given out elsewhere); no living worker's status names it (a worker's status names a task
//      before the worker takes it, and until its answer is in the queue); and no answer to it is read
//      before the message `lost_with_status`.
//
// Thread safety: the backend's thread; the functions that handle messages are the leader's. Requires:
// no lock.
// Crash safety: rules 1 to 4.
#pragma once

#include <cstdint>

#include "pool/result_reader.hpp"
#include "pool/task_sender.hpp"

namespace chorus::inline v0::detail::pool {

class CrashRecovery {
public:
    CrashRecovery(PoolState& state, ChannelSet& channels, TaskSender& sender, ResultReader& reader) noexcept
        : state_(state), channels_(channels), sender_(sender), reader_(reader) {}

    // ---- the backend's thread, in this order ----

    /// Rule 1, after a crash.
    void replace_channels();
    /// Rule 4: posts the message for each such task.
    void search_for_lost();
    /// Rules 2 and 3.
    void read_older();

    // ---- the leader ----

    void handle_lost(std::uint64_t id);
    void handle_generation_over(std::uint32_t generation);

private:
    void read_older(const ChannelsPointer& older);
    bool pass_on(const ChannelsPointer& older);

    PoolState& state_;
    ChannelSet& channels_;
    TaskSender& sender_;
    ResultReader& reader_;
};

}  // namespace chorus::inline v0::detail::pool
