// Worker table: the worker processes of a backend and their lifecycle.
//
//     added    is_started    is_ready    (is_killed)    is_death_posted    taken out
//
//   1. An entry is added before its process is started: the worker takes tasks before the thread that
//      starts it knows its pid. A kill that is asked for meanwhile is carried out when `is_started` is
//      set.
//   2. A dead worker stays in the table until its backend has received its death; then everything that
//      the worker had sent has been received.
//   3. Of a dead worker that is out of the table, the task may not have failed yet:
//      `deaths_in_progress` counts those.
//
// Thread safety: under the backend's mutex.
// Crash safety: private memory of the pool's process, but for the workers' status words.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "platform/process_id.hpp"
#include "pool/channels.hpp"
#include "pool/stderr_relay.hpp"
#include "pool/worker_status.hpp"
#include "worker/process_state.hpp"

namespace chorus::inline v0::detail::pool {

struct WorkerEntry {
    std::uint32_t number = 0;
    worker::ProcessPointer process;
    std::shared_ptr<WorkerStatus> status;
    ChannelsPointer channels;
    std::shared_ptr<StderrRelay> standard_error;  ///< null if no lines are kept
    bool is_started = false;
    bool is_ready = false;
    bool is_late = false;  ///< it was not ready in time, and killed for it
    bool is_killed = false;
    bool is_death_posted = false;  ///< the message may not have been received yet

    void kill() noexcept;
    /// Kills it if its status is this, and sets the step that says why. Returns false, and what the
    /// status is now, if it is something else: only the worker that has this very task is killed (see
    /// worker_status.hpp).
    bool end(std::uint64_t& doing, WorkerStatus::Step how) noexcept;
};

class WorkerTable {
public:
    /// 1, 2, …
    std::uint32_t new_number() noexcept { return ++last_; }
    void add(WorkerEntry entry);
    WorkerEntry* find(std::uint32_t number) noexcept;
    void remove(std::uint32_t number) noexcept { all_.erase(number); }
    /// Counts it among the deaths in progress. Nothing if it is not there.
    std::optional<WorkerEntry> take_out_dead(std::uint32_t number) noexcept;
    void death_is_handled() noexcept { --deaths_in_progress_; }
    bool has_deaths_in_progress() const noexcept { return deaths_in_progress_ > 0; }
    bool is_empty() const noexcept { return all_.empty() && deaths_in_progress_ == 0; }

    void set_ready(std::uint32_t number) noexcept;
    /// Returns how many have died one after the other before one was ready.
    int count_unready_death() noexcept { return ++died_unready_; }

    std::size_t size() const noexcept { return all_.size(); }
    template <class Visit>
    void for_each(Visit visit) {
        for (auto& [number, entry] : all_) visit(entry);
    }
    void kill_all() noexcept;

    /// Whether a worker uses these channels.
    bool uses(const Channels& channels) const noexcept;
    /// Whether a worker's status names this task.
    bool names(std::uint64_t task) const noexcept;
    /// Whether a worker's status names this task, in a step after `taking`.
    bool has_begun(std::uint64_t task) const noexcept;
    /// Whether a worker's status names this task, and this message of the task queue.
    bool names(std::uint64_t task, std::uint32_t item) const noexcept;
    /// Ends the worker that takes or runs this task, if there is one.
    void end_task(std::uint64_t task) noexcept;
    /// The same for a worker that runs it or has answered. An answer that was not received was stopped
    /// halfway or is late after all; one that is in the queue is received before the death.
    void end_late_task(std::uint64_t task) noexcept;
    /// Ends each stopped worker (SIGSTOP) that may hold up others. `waits_to_begin` says of a task
    /// whether its timeout has not begun.
    template <class WaitsToBegin>
    void end_stopped(WaitsToBegin waits_to_begin) noexcept {
        for (auto& [number, entry] : all_) {
            if (!entry.is_started || !platform::process_is_stopped(entry.process->pid)) continue;
            const std::uint64_t doing = entry.status->doing;
            end_stopped(entry, doing, waits_to_begin(WorkerStatus::task_of(doing)));
        }
    }
    std::vector<int> pids() const;

private:
    static void end_stopped(WorkerEntry& entry, std::uint64_t doing, bool task_waits_to_begin) noexcept;

    std::map<std::uint32_t, WorkerEntry> all_;
    std::uint32_t last_ = 0;
    int died_unready_ = 0;
    int deaths_in_progress_ = 0;
};

}  // namespace chorus::inline v0::detail::pool
