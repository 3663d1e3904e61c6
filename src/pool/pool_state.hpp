// The state of a process pool that its parts share, under one mutex: tasks, workers, and how far the
// end of the pool has come.
//
//   1. No thread waits for a queue's lock while it holds the mutex: a stopped worker may hold that
//      lock, and only the watchdog, which needs the mutex, can end that worker.
//   2. No user code runs under the mutex.
//   3. A function that ends the workers removes the tasks first: otherwise a death could be received
//      before, and decide what becomes of a task.
//
// Thread safety: the functions require the mutex, unless they say otherwise.
// Crash safety: private memory of the pool's process: a task that a worker took is still known here.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <chorus/detail/pool/task.hpp>
#include "memory/region.hpp"
#include "platform/file_descriptor.hpp"
#include "pool/budget.hpp"
#include "pool/channels.hpp"
#include "pool/deadlines.hpp"
#include "pool/ledger.hpp"
#include "pool/pool_counters.hpp"
#include "pool/watchdog.hpp"
#include "pool/worker_table.hpp"
#include "sync/exported_counters.hpp"

namespace chorus::inline v0::detail::pool {

struct PoolState {
    /// Tags of what the backend's thread waits for; workers follow, by their numbers.
    enum Tag : std::uint64_t { bell_tag, answers_tag, older_answers_tag, first_worker_tag };

    PoolState(BackendOptions of, std::function<Watchdog::TimePoint(Watchdog::TimePoint)> look)
        : options(std::move(of)),
          budget(options.budget),
          watchdog(mutex, std::move(look)),
          wanted(options.workers) {}

    // ---- without the mutex ----

    /// In a copy of the pool's process, made by fork, another thread may hold any lock.
    bool is_a_copy() const noexcept { return made_in_ != memory::copy_number(); }
    /// Closes the pool for this reason, fails all tasks and kills the workers. Requires: not the mutex.
    void break_down(const std::string& why);

    // ---- tasks ----

    /// Throws: UsageError after close(), BrokenPool.
    void require_open() const;
    /// Adds a task. Returns false if the budget holds it back. Throws: as require_open(); OsError.
    bool enter(const TaskPointer& task);
    /// Returns null if it is not there.
    TaskPointer remove(std::uint64_t id);
    /// Returns null if it is not there. Its deadline is forgotten too.
    TaskPointer remove_with_deadline(std::uint64_t id);
    /// Another attempt begins, under another id.
    void renew(Task& task);
    std::vector<TaskPointer> take_all();
    /// Of tasks and, with Deadlines::start_of_worker, of starts.
    void add_deadline(std::uint64_t id, const Deadline& timeout);

    // ---- workers ----

    bool needs_worker() const noexcept {
        return workers.size() < std::min(wanted, ledger.size()) && !broken && !is_left;
    }
    /// All tasks are done.
    bool is_done() const noexcept { return closed && ledger.size() == 0; }
    /// And all workers have left.
    bool is_over() const noexcept { return is_done() && workers.is_empty(); }

    void show(PoolCounters::Number which, std::uint64_t value) noexcept {
        if (counters) counters->show(which, value);
    }

    const BackendOptions options;
    platform::ReadySet ready;
    platform::Doorbell bell;  ///< wakes the backend's thread

    mutable std::mutex mutex;  ///< guards what follows
    Ledger ledger;
    Budget budget;
    WorkerTable workers;
    Deadlines deadlines;
    StallWatch stall;
    Watchdog watchdog;   ///< runs from the first task with a timeout on
    std::size_t wanted;  ///< workers
    std::uint64_t submitted = 0;
    std::optional<sync::ExportedCounters> counters;
    bool closed = false;
    bool workers_sent_home = false;          ///< the current queue of tasks is shut down
    bool is_left = false;                    ///< the thread that received the results has called exit()
    std::optional<std::string> broken;       ///< why
    bool has_crashed = false;                ///< a worker of the current channels may have damaged them
    std::vector<ChannelsPointer> to_search;  ///< of which a task may be lost: see crash_recovery.hpp

private:
    const std::uint32_t made_in_ = memory::copy_number();
};

/// Runs a function at the end of the scope.
template <class Function>
struct Finally {
    explicit Finally(Function function) : then(std::move(function)) {}
    ~Finally() { then(); }
    Finally(const Finally&) = delete;
    Finally& operator=(const Finally&) = delete;
    Function then;
};

}  // namespace chorus::inline v0::detail::pool
