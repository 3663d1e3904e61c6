#include "pool/process_backend.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <utility>

#include <chorus/detail/message/outcome.hpp>
#include "channel/queue_core.hpp"
#include "platform/cpus.hpp"
#include "platform/os_thread.hpp"
#include "pool/backends.hpp"
#include "pool/task_failure.hpp"
#include "trace/trace.hpp"
#include "worker/lifetime.hpp"

namespace chorus::inline v0::detail::pool {

// ---- the first task, and each one ---------------------------------------------------------------

// Requires: PoolState::mutex.
void ProcessBackend::begin() {
    if (begun_) return;
    channels_.open();
    state_.ready.add(state_.bell.descriptor(), PoolState::bell_tag);
    const auto channels = channels_.current();
    try {
        start_thread();
    } catch (const std::exception& error) {  // the next task may find room for one
        state_.ready.remove(state_.bell.descriptor());
        state_.ready.remove(channel::descriptor_of(*channels->answers));
        throw BrokenPool(std::string("the pool can start no thread: ") + error.what());
    }
    begun_ = true;
    state_.counters.emplace(state_.options.name.empty() ? "Pool" : state_.options.name);
    state_.show(PoolCounters::kind, PoolCounters::processes);
    state_.show(PoolCounters::workers, state_.wanted);
    state_.show(PoolCounters::tasks, channels->tasks->region()->name());
    state_.show(PoolCounters::answers, channels->answers->region()->name());
    finish_at_the_end(shared_from_this());
}

void ProcessBackend::start_thread() {
    auto self = std::make_unique<std::shared_ptr<ProcessBackend>>(shared_from_this());
    const platform::SignalsBlocked blocked;  // the program's handlers run in the program's threads
    signals_ = blocked.before();
    platform::start_thread(
        [](void* argument) -> void* {
            platform::name_this_thread("chorus-pool");
            std::unique_ptr<std::shared_ptr<ProcessBackend>> backend(
                static_cast<std::shared_ptr<ProcessBackend>*>(argument));
            const auto ended = (*backend)->ended_;
            (*backend)->supervise();
            backend.reset();
            ended->set();
            return nullptr;
        },
        self.get(), 0);
    self.release();
}

void ProcessBackend::submit(TaskPointer task) {
    if (state_.is_a_copy()) state_.require_open();  // before any lock
    worker::expect_not_negative(task->options.timeout);
    worker::expect_not_negative(task->options.cpu_time);
    if (task->options.timeout.is_never()) task->options.timeout = state_.options.timeout;
    if (task->options.cpu_time.is_never()) task->options.cpu_time = state_.options.cpu_time;
    // No worker could be started, and this thread's own objects may be destroyed already: one of them
    // is used below.
    if (worker::is_ending())
        throw UsageError("nothing can be submitted to a pool any more: the program is ending");
    if (!begun_) {
        const std::lock_guard guard(state_.mutex);
        state_.require_open();
        begin();
    }
    if (trace::is_on()) task->arrow = trace::new_arrow();
    sender_.submit(std::move(task));
}

// ---- questions ----------------------------------------------------------------------------------

bool ProcessBackend::has_begun(const Task& task) const noexcept {
    if (state_.is_a_copy()) return false;
    const std::lock_guard guard(state_.mutex);
    return state_.workers.has_begun(task.id);
}

std::size_t ProcessBackend::size() const noexcept {
    if (state_.is_a_copy()) return state_.options.workers;
    const std::lock_guard guard(state_.mutex);
    return state_.wanted;
}

std::size_t ProcessBackend::unfinished() const {
    if (state_.is_a_copy()) return 0;
    const std::lock_guard guard(state_.mutex);
    return state_.ledger.size();
}

std::vector<int> ProcessBackend::worker_pids() const {
    if (state_.is_a_copy()) return {};
    const std::lock_guard guard(state_.mutex);
    return state_.workers.pids();
}

bool ProcessBackend::is_closed() const noexcept {
    if (state_.is_a_copy()) return true;
    const std::lock_guard guard(state_.mutex);
    return state_.closed;
}

bool ProcessBackend::is_over() const {
    const std::lock_guard guard(state_.mutex);
    return state_.is_over();
}

// ---- ending -------------------------------------------------------------------------------------

void ProcessBackend::resize(std::size_t workers) {
    if (workers == 0) throw UsageError("a pool needs one worker or more, asked for 0");
    if (state_.is_a_copy()) state_.require_open();
    std::size_t too_many = 0;
    {
        const std::lock_guard guard(state_.mutex);
        state_.require_open();
        state_.wanted = workers;
        state_.show(PoolCounters::workers, workers);
        if (state_.workers.size() > workers) too_many = state_.workers.size() - workers;
    }
    // So many workers leave when they take these. If a worker dies before, another may leave for it,
    // and is replaced.
    for (; too_many > 0; --too_many) post_header(channels_.current()->tasks, TaskHeader{});
    state_.bell.ring();
}

void ProcessBackend::close() noexcept {
    if (state_.is_a_copy()) return;
    {
        const std::lock_guard guard(state_.mutex);
        state_.closed = true;
    }
    state_.bell.ring();
}

bool ProcessBackend::join(Deadline deadline) {
    if (state_.is_a_copy()) return true;
    if (reader_.leads_here())
        throw UsageError(
            "a pool cannot be joined from a callback of its own futures: it would wait for itself");
    {
        const std::lock_guard guard(state_.mutex);
        if (!state_.closed) throw UsageError("the pool is still open: close() it before join()");
        if (!begun_) return true;
    }
    trace::Wait wait("Pool.join");
    wait.begins();
    return ended_->wait(deadline);
}

bool ProcessBackend::finish(bool cancel_what_waits) noexcept {
    if (state_.is_a_copy()) return false;
    close();
    if (cancel_what_waits) cancel_waiting();
    const bool ends_itself = reader_.leads_here();  // in a callback, for which no other thread can wait
    {
        const std::lock_guard guard(state_.mutex);
        if (!begun_ || ends_itself) return false;
    }
    if (ended_->wait(now)) return false;
    trace::Wait wait("Pool.join");
    wait.begins();
    ended_->wait({});
    return true;
}

void ProcessBackend::terminate() noexcept {
    if (state_.is_a_copy()) return;
    std::vector<TaskPointer> all;
    {
        const std::lock_guard guard(state_.mutex);
        state_.closed = true;
        if (!begun_) return;
        all = state_.take_all();
        state_.workers_sent_home = true;
        state_.workers.for_each([](WorkerEntry& entry) {
            entry.is_ready = true;  // its death says nothing about other workers
            entry.kill();
        });
    }
    channel::give_up(*channels_.current()->tasks);
    for (const auto& task : all) task->future().cancel();
    state_.bell.ring();
}

// No thread receives any more how tasks and workers end. The tasks are left as they are: an error would
// only let other threads go on, while the program is ending.
void ProcessBackend::leave() noexcept {
    if (state_.is_a_copy() || !reader_.leads_here()) return;
    {
        const std::lock_guard guard(state_.mutex);
        state_.closed = true;
        state_.is_left = true;
        state_.workers.kill_all();
    }
    ended_->set();
}

// ---- messages -----------------------------------------------------------------------------------

void ProcessBackend::handle(ReceivedResult& received) {
    const auto& header = received.header;
    switch (header.kind) {
        case AnswerHeader::outcome: return handle_outcome(received);
        case AnswerHeader::begun: return handle_begun(header);
        case AnswerHeader::ready: return handle_ready(header.worker);
        case AnswerHeader::not_initialised: return handle_not_initialised(received);
        case AnswerHeader::died: return deaths_.handle(header.worker);
        case AnswerHeader::look_again: return deaths_.run_elsewhere(header.id);
        case AnswerHeader::lost_with_status: return recovery_.handle_lost(header.id);
        case AnswerHeader::generation_over: return recovery_.handle_generation_over(header.worker);
        case AnswerHeader::wake_up: return;
    }
}

void ProcessBackend::handle_outcome(ReceivedResult& received) {
    TaskPointer task;
    {
        const std::lock_guard guard(state_.mutex);
        task = state_.remove(received.header.id);
        if (task && !task->options.timeout.is_never()) state_.deadlines.remove(received.header.id);
    }
    if (!task) return;  // of an older attempt, or cancelled
    task->bytes += received.rest.size();
    try {
        if (received.error) std::rethrow_exception(received.error);
        message::Reader in(received.rest, &received.attachments);
        message::Reader from_ending = in;
        if (in.read_raw<message::Ending>() == message::Ending::value) {
            task->drop_call();
            task->take_value(in);
        } else {
            fail(*task, with_position(message::read_exception(from_ending), *task));
        }
    } catch (...) {
        fail(*task, std::current_exception());
    }
}

void ProcessBackend::handle_begun(const AnswerHeader& header) {
    const std::lock_guard guard(state_.mutex);
    const auto task = state_.ledger.find(header.id);
    if (!task || task->options.timeout.is_never()) return;
    state_.stall.count_as_waiting(*task, false);
    task->future().set_running();
    state_.add_deadline(header.id, task->options.timeout);
}

void ProcessBackend::handle_ready(std::uint32_t worker) {
    const std::lock_guard guard(state_.mutex);
    state_.workers.set_ready(worker);
    state_.deadlines.remove(Deadlines::start_of_worker | worker);
}

void ProcessBackend::handle_not_initialised(const ReceivedResult& received) {
    message::Reader in(received.rest);
    const auto failure = message::describe(message::read_exception(in));
    state_.break_down("the initializer of the pool's workers failed: " + failure.type + ": " +
                      failure.message);
}

// ---- the backend's thread -----------------------------------------------------------------------

void ProcessBackend::supervise() noexcept {
    try {
        while (!is_over()) {
            reader_.receive_all(wait_for_events());
            recovery_.replace_channels();
            recovery_.search_for_lost();
            recovery_.read_older();
            sender_.let_in();
            starter_.start_missing(signals_);
            send_home();
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "chorus: a pool's thread: %s\n", error.what());
        state_.break_down(error.what());
    }
    state_.watchdog.stop();
}

// Returns whether the result queue is readable.
bool ProcessBackend::wait_for_events() {
    std::vector<std::uint64_t> ready;
    patience_.sleep({}, [&](Deadline until) {
        ready = state_.ready.wait(until);
        return !ready.empty();
    });
    bool results = false;
    for (const auto tag : ready) {
        if (tag == PoolState::bell_tag) {
            state_.bell.silence();
        } else if (tag == PoolState::answers_tag) {
            results = true;
        } else if (tag >= PoolState::first_worker_tag) {
            post_death(static_cast<std::uint32_t>(tag - PoolState::first_worker_tag));
        }
    }
    return results;
}

void ProcessBackend::post_death(std::uint32_t worker) {
    ChannelsPointer channels;
    {
        const std::lock_guard guard(state_.mutex);
        WorkerEntry* const entry = state_.workers.find(worker);
        if (entry == nullptr) return;
        state_.ready.remove(entry->process->process->get());
        entry->is_death_posted = true;
        channels = entry->channels;
    }
    channels_.post(channels, {0, worker, AnswerHeader::died});  // behind everything that it has sent
}

void ProcessBackend::send_home() {
    {
        const std::lock_guard guard(state_.mutex);
        if (!state_.is_done() || state_.workers_sent_home) return;
        state_.workers_sent_home = true;
        state_.workers.for_each([](const WorkerEntry& entry) {  // also if it was stopped, or is about to be
            if (entry.is_started) worker::send_signal(entry.process, SIGCONT);
        });
    }
    const auto channels = channels_.current();
    try {
        channel::shut_down(*channels->tasks, false);
    } catch (const Damaged&) {
        channel::give_up(*channels->tasks);
    }
}

// ---- the watchdog's thread, under PoolState::mutex ----------------------------------------------

// A late worker is killed; the failure of its task is received with its death.
Watchdog::TimePoint ProcessBackend::look_for_late(Watchdog::TimePoint time) noexcept {
    while (const auto late = state_.deadlines.take_late(time)) {
        if ((*late & Deadlines::start_of_worker) == 0) {
            state_.workers.end_late_task(*late);
            continue;
        }
        WorkerEntry* const entry = state_.workers.find(static_cast<std::uint32_t>(*late));
        if (entry == nullptr || entry->is_ready) continue;
        entry->is_late = true;
        entry->kill();
    }
    const StallWatch::Progress progress{channel::taken_from(*channels_.current()->tasks), reader_.received()};
    if (state_.stall.has_stalled(progress, time)) {
        state_.workers.end_stopped([this](std::uint64_t id) {
            const auto task = state_.ledger.find(id);
            return task && task->waits_to_begin;
        });
    }
    return std::min(state_.deadlines.next(), state_.stall.next());
}

std::shared_ptr<Backend> make_process_backend(BackendOptions options) {
    worker::expect_not_negative(options.timeout);
    worker::expect_not_negative(options.cpu_time);
    if (options.workers == 0) options.workers = static_cast<std::size_t>(platform::usable_cpus());
    return std::make_shared<ProcessBackend>(std::move(options));
}

}  // namespace chorus::inline v0::detail::pool
