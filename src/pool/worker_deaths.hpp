// Worker deaths: what is done when the death of a worker is received, and about the task that it had.
//
// A death is posted to the result queue behind everything that the worker has sent. So when it is
// received, the worker's status names what the worker had not answered. retry_policy.hpp decides what
// becomes of that task.
//
// Thread safety: the leader of the result queue. Requires: no lock; callbacks of futures run here.
// Crash safety: after a crash the status is believed only if the worker can have had the task that it
// names; for any other task, CrashRecovery finds the worker's own.
#pragma once

#include <cstdint>
#include <optional>

#include "pool/retry_policy.hpp"
#include "pool/task_sender.hpp"
#include "worker/report.hpp"

namespace chorus::inline v0::detail::pool {

class WorkerDeaths {
public:
    WorkerDeaths(PoolState& state, ChannelSet& channels, TaskSender& sender) noexcept
        : state_(state), channels_(channels), sender_(sender) {}

    /// A worker has died.
    void handle(std::uint32_t number);
    /// A task went with a worker that had not begun it, and no answer came: another worker runs it.
    void run_elsewhere(std::uint64_t id);

private:
    void handle_unready(const WorkerEntry& entry, std::optional<int> exitcode);
    worker::Death cause(const WorkerEntry& entry, std::optional<int> exitcode) const;
    bool can_have_had(const WorkerEntry& entry, std::uint64_t id);
    void complete_facts(const WorkerEntry& entry, DeathFacts& facts) const;
    TaskPointer attempt_failed(std::uint64_t id, Failure failure);
    void fail_late(std::uint64_t id, Deadline TaskOptions::*limit);
    void fail_dead(std::uint64_t id, const worker::Death& death, const WorkerEntry& entry);

    PoolState& state_;
    ChannelSet& channels_;
    TaskSender& sender_;
};

}  // namespace chorus::inline v0::detail::pool
