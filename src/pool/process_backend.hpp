// The pool backend for worker processes.
//
// Tasks go out through one queue from which all workers take; results come back through another. All events
// are serialised by the result queue: results, starts of tasks, and deaths of workers, which the backend's
// own thread posts there when the kernel reports them. When a death is received, all results that the worker
// sent before have been received.
//
// Leader-follower: one thread at a time drains the result queue, preferably one that is already blocked in
// get(), so that the result needs no other thread. While no thread waits it is the backend's own.
//
// The ledger of tasks is private memory of this process: a task that a worker took with it is still known
// here. A task's id changes whenever it is given out again or done; messages with an old id are ignored.
//
// Crash safety: a worker that crashed may have written anywhere, also to the queues. After such a death they
// are replaced (replace_after_crash). Tasks that no worker had taken go to the new ones; those that other
// workers hold are answered through the old ones, which are read until those workers have left. What was in a
// queue that is found damaged is lost, and its tasks fail.
//
// Files: process_backend_channels.cpp the two queues; process_backend.cpp tasks and their end;
// process_backend_results.cpp what is received; process_backend_supervision.cpp the backend's thread, which
// starts workers, and the watchdog, which ends them.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <chorus/detail/channel/queue_access.hpp>
#include <chorus/detail/pool/task.hpp>
#include "memory/region.hpp"
#include "platform/os_process.hpp"
#include "pool/budget.hpp"
#include "pool/channels.hpp"
#include "pool/ledger.hpp"
#include "pool/pool_counters.hpp"
#include "pool/process_worker.hpp"
#include "pool/result_reader.hpp"
#include "pool/watchdog.hpp"
#include "pool/worker_status.hpp"
#include "pool/worker_table.hpp"
#include "sync/exported_counters.hpp"
#include "worker/report.hpp"

namespace chorus::inline v0::detail::pool {

struct Due {
    Watchdog::TimePoint when{};
    std::uint64_t id = 0;
    friend bool operator<(const Due& a, const Due& b) {
        return std::tie(a.when, a.id) < std::tie(b.when, b.id);
    }
};

// Outlives the backend, so that its thread can let go of it before it says that it has.
struct Gone {
    std::mutex mutex;
    std::condition_variable changed;
    bool is_gone = false;

    void tell() {
        const std::lock_guard guard(mutex);
        is_gone = true;
        changed.notify_all();
    }
    bool wait(Deadline deadline) {
        std::unique_lock lock(mutex);
        if (!deadline.is_never())
            return changed.wait_until(lock, deadline.when(), [this] { return is_gone; });
        changed.wait(lock, [this] { return is_gone; });
        return true;
    }
};

using TaskMessage = Message<TaskHeader>;

class ProcessBackend final : public Backend, public std::enable_shared_from_this<ProcessBackend> {
public:
    explicit ProcessBackend(BackendOptions options)
        : options_(std::move(options)),
          wanted_(options_.workers),
          copy_(memory::copy_number()),
          budget_(options_.budget),
          watchdog_(mutex_, [this](Watchdog::TimePoint time) { return look_at_the_clock(time); }) {}

    void submit(TaskPointer task) override;
    void cancelled(Task& task) noexcept override;
    bool has_begun(const Task& task) const noexcept override;
    bool can_stop_running() const noexcept override { return true; }
    bool wait_for(const worker::FutureState& future, Deadline deadline) override;
    void wake_waiting() noexcept override;

    std::size_t size() const noexcept override {
        if (is_a_copy()) return options_.workers;
        const std::lock_guard guard(mutex_);
        return wanted_;
    }
    void resize(std::size_t workers) override;
    std::size_t unfinished() const override {
        if (is_a_copy()) return 0;
        const std::lock_guard guard(mutex_);
        return ledger_.size();
    }
    void close() noexcept override;
    bool is_closed() const noexcept override {
        if (is_a_copy()) return true;
        const std::lock_guard guard(mutex_);
        return closed_;
    }
    bool join(Deadline deadline) override;
    bool finish(bool cancel_what_waits) noexcept override;
    void leave() noexcept override {
        if (!is_a_copy() && leads_here()) leave_workers();
    }
    void cancel_waiting() noexcept override;
    void terminate() noexcept override;
    std::vector<int> worker_pids() const override;

private:
    static constexpr std::uint64_t bell_tag = 0;
    static constexpr std::uint64_t answers_tag = 1;
    static constexpr std::uint64_t older_answers_tag = 2;
    static constexpr std::uint64_t first_member_tag = 3;
    static constexpr std::uint64_t start_of_member = std::uint64_t{1}
                                                     << 63;  ///< among what is due, besides tasks' ids

    bool is_a_copy() const noexcept { return copy_ != memory::copy_number(); }

    // ---- the ledger; mutex_ is held, up to doom() ----
    void require_open() const;
    void begin();
    bool enter(const TaskPointer& task);
    TaskPointer remove(std::uint64_t id);
    void renew(Task& task);
    void count_as_waiting(Task& task, bool waits) noexcept;
    void show(PoolCounters::Number which, std::uint64_t value) noexcept {
        if (sign_) sign_->show(which, value);
    }
    bool needs_worker() const noexcept {
        return members_.size() < std::min(wanted_, ledger_.size()) && !broken_ && !is_left_;
    }
    void not_due(std::uint64_t id) noexcept {
        for (auto* const some : {&due_, &fresh_})
            std::erase_if(*some, [&](const Due& due) { return due.id == id; });
    }
    bool take_back(const Task& task, std::uint64_t id) noexcept;

    void give_out(const TaskPointer& task, const ChannelsPointer& channels, TaskMessage& message,
                  bool first_time);
    void give_out_elsewhere(const TaskPointer& task, std::uint64_t id);
    void give_out_again(const TaskPointer& task);
    std::vector<TaskPointer> take_all();
    void break_down(const std::string& why);
    void leave_workers() noexcept;

    // ---- the leader ----
    bool lead() noexcept;
    bool leads_here() const noexcept;
    void stop_leading();
    bool lead_until(const worker::FutureState& future, Deadline deadline);
    bool receive_one(Deadline deadline);
    void handle(ReceivedResult& heard);
    void handle_outcome(ReceivedResult& heard);
    void handle_begun(const AnswerHeader& header);
    void handle_death(std::uint32_t number);
    void handle_lost(std::uint64_t id);
    void handle_lost_with_note(std::uint64_t id);
    void handle_generation_over(std::uint32_t generation);
    TaskPointer lose(std::uint64_t id, int Task::*times, int TaskOptions::*retries);
    using Limit = Deadline TaskOptions::*;
    bool can_have_had(const WorkerEntry& member, std::uint64_t id);
    bool has_limit(std::uint64_t id, Limit limit) const;
    void fail_late(std::uint64_t id, Limit limit);
    void fail_dead(std::uint64_t id, const worker::Death& death, const WorkerEntry& member);

    // ---- the clock; mutex_ is held ----
    Watchdog::TimePoint look_at_the_clock(Watchdog::TimePoint time) noexcept;
    void fall_due(std::uint64_t id, const Deadline& timeout);
    Watchdog::TimePoint watch_ends() const;
    void end_what_is_late(Watchdog::TimePoint time) noexcept;
    void end_who_does_nothing(Watchdog::TimePoint time) noexcept;

    // ---- the backend's thread ----
    void supervise() noexcept;
    void leave_ringing_to_the_leader();
    void let_in();
    void start_missing();
    void start_one();
    void send_home();
    bool is_over() const;
    void tell_of_death(std::uint32_t number);
    void say_through(ChannelsPointer through, AnswerHeader header);

    // ---- channels ----
    bool are_today_s(const Channels& channels) const noexcept { return channels.generation == generation_; }
    ChannelsPointer channels() const {
        const std::lock_guard guard(channels_mutex_);
        return channels_;
    }
    static ChannelsPointer make_channels(std::uint32_t generation);
    ChannelsPointer exchange_channels();
    void open_inbox();
    void lose_answers(const ChannelsPointer& channels, const ShutDown& said) noexcept;
    bool lose_tasks(const ChannelsPointer& channels) noexcept;
    void lose_channels(const ChannelsPointer& lost, const std::string& what) noexcept;
    void replace_after_crash();
    void move_tasks(const ChannelsPointer& from);
    void search_for_lost();
    void hear_older();
    bool relay(const ChannelsPointer& older);

    const BackendOptions options_;
    std::size_t wanted_;
    const std::uint32_t copy_;  ///< of the process that has made it
    // Made with the first task: a pool that is a static object begins nothing in the images that only start
    // workers.
    std::mutex replacing_;               ///< outer to all others: one has them exchanged at a time
    mutable std::mutex channels_mutex_;  ///< inner to all others
    ChannelsPointer channels_;
    std::atomic<std::uint32_t> generation_{0};  ///< theirs
    platform::SignalMask signals_{};
    platform::ReadySet ready_;
    platform::Doorbell bell_;

    mutable std::mutex mutex_;  ///< guards what follows
    Ledger ledger_;
    Budget budget_;
    std::uint64_t submitted_ = 0;
    std::optional<sync::ExportedCounters> sign_;
    WorkerTable members_;
    std::set<Due> due_;
    std::set<Due> fresh_;  ///< will be due so long after the clock has found them here
    // Of tasks with a timeout: how many no worker has begun, the longest timeout of any, and what has gone on
    // when somebody looked last.
    std::size_t timed_waiting_ = 0;
    std::chrono::nanoseconds longest_timeout_{0};
    struct Watched {
        std::uint32_t taken = 0;
        std::uint64_t heard = 0;
        Watchdog::TimePoint since{};
    };
    std::optional<Watched> watched_;
    Watchdog watchdog_;
    std::atomic<bool> begun_{false};
    bool closed_ = false;
    bool sent_sharing_ = false;
    bool is_left_ = false;    ///< who hears the answers has called exit()
    int died_unready_ = 0;    ///< workers, one after the other
    int deaths_in_hand_ = 0;  ///< whose worker is out of the list, and whose task may not have failed yet
    const std::shared_ptr<Gone> gone_ = std::make_shared<Gone>();
    std::optional<std::string> broken_;
    bool has_crashed_ = false;  ///< a worker that uses the channels of today, and may have written to them
    std::vector<ChannelsPointer> older_;      ///< of which workers are left, or answers
    std::vector<ChannelsPointer> to_search_;  ///< of which a task may be lost: see search_for_lost()

    std::atomic<const void*> leader_{nullptr};
    std::atomic<bool> leader_waits_{false};  ///< for a future, which somebody else may end
    std::atomic<std::uint64_t> heard_so_far_{0};
    ResultReader inbox_;     ///< the leader's
    ChannelsPointer heard_;  ///< the leader's
    std::atomic<std::uint32_t> hears_generation_{0};
};

}  // namespace chorus::inline v0::detail::pool
