// The pool backend for worker processes.
//
// Tasks go out through one queue from which all workers take; results come back through another. The
// result queue is the order of all events: results, starts of tasks, and deaths of workers, which the
// backend's own thread posts there when the kernel reports them. When a death is received, all results
// that the worker sent before have been received.
//
// Its parts, each in a file of its own, from low to high:
//
//     wire              the messages of the two queues
//     worker_status     what a worker says of itself in shared memory
//     ledger, budget    the tasks that are not done; which of them may go
//     deadlines         what is late, or does not progress; the watchdog is the thread that looks
//     worker_table      the workers
//     pool_state        all of these, under one mutex
//     channels          the two queues, and those that replace them
//     task_sender       gives tasks out
//     worker_starter    starts workers
//     result_reader     receives results; leader-follower
//     retry_policy      decides what becomes of a task after a death or a missed deadline
//     worker_deaths     carries that out
//     crash_recovery    replaces channels after a crash
//     process_worker    what runs in the worker processes
//
// This class connects them: it implements Backend, handles the messages, and ends the pool.
//
// Thread safety: any thread. A thread of the backend's own, chorus-pool, starts workers, posts deaths,
// and receives results while no other thread waits for one.
// Crash safety: the ledger is private memory of this process: a task that a worker took with it is
// still known here. A worker that crashed may have written anywhere, also to the queues:
// crash_recovery.hpp.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "platform/patience.hpp"
#include "pool/crash_recovery.hpp"
#include "pool/end_of_thread.hpp"
#include "pool/pool_state.hpp"
#include "pool/result_reader.hpp"
#include "pool/task_sender.hpp"
#include "pool/worker_deaths.hpp"
#include "pool/worker_starter.hpp"

namespace chorus::inline v0::detail::pool {

class ProcessBackend final : public Backend, public std::enable_shared_from_this<ProcessBackend> {
public:
    explicit ProcessBackend(BackendOptions options)
        : state_(std::move(options), [this](Watchdog::TimePoint time) { return look_for_late(time); }) {}

    void submit(TaskPointer task) override;
    void cancelled(Task& task) noexcept override {
        if (!state_.is_a_copy()) sender_.cancelled(task);
    }
    bool has_begun(const Task& task) const noexcept override;
    bool can_stop_running() const noexcept override { return true; }
    bool wait_for(const worker::FutureState& future, Deadline deadline) override {
        return reader_.wait_for(future, deadline);
    }
    void wake_waiting() noexcept override { reader_.wake_waiting(); }

    std::size_t size() const noexcept override;
    void resize(std::size_t workers) override;
    std::size_t unfinished() const override;
    std::vector<int> worker_pids() const override;

    void close() noexcept override;
    bool is_closed() const noexcept override;
    bool join(Deadline deadline) override;
    bool finish(bool cancel_what_waits) noexcept override;
    void leave() noexcept override;
    void cancel_waiting() noexcept override {
        if (!state_.is_a_copy()) sender_.cancel_waiting();
    }
    void terminate() noexcept override;

private:
    void begin();
    void start_thread();

    // ---- the leader of the result queue ----
    void handle(ReceivedResult& received);
    void handle_outcome(ReceivedResult& received);
    void handle_begun(const AnswerHeader& header);
    void handle_ready(std::uint32_t worker);
    void handle_not_initialised(const ReceivedResult& received);

    // ---- the backend's thread ----
    void supervise() noexcept;
    bool wait_for_events();
    bool is_over() const;
    void post_death(std::uint32_t worker);
    void send_home();

    // ---- the watchdog's thread ----
    Watchdog::TimePoint look_for_late(Watchdog::TimePoint time) noexcept;

    PoolState state_;
    ChannelSet channels_{state_};
    TaskSender sender_{state_, channels_};
    WorkerStarter starter_{state_, channels_};
    ResultReader reader_{state_, channels_, [this](ReceivedResult& received) { handle(received); }};
    WorkerDeaths deaths_{state_, channels_, sender_};
    CrashRecovery recovery_{state_, channels_, sender_, reader_};
    // A pool that is a static object begins with its first task: it starts nothing in images that only
    // start workers.
    std::atomic<bool> begun_{false};
    platform::SignalMask signals_{};  ///< of the program's threads
    platform::Patience patience_;     ///< of the backend's thread
    const std::shared_ptr<EndOfThread> ended_ = std::make_shared<EndOfThread>();
};

}  // namespace chorus::inline v0::detail::pool
