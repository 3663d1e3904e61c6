#include "pool/process_backend.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <utility>

#include "platform/patience.hpp"
#include "pool/stderr_relay.hpp"
#include "sync/waiting.hpp"

namespace chorus::inline v0::detail::pool {

// ---- the backend's thread --------------------------------------------------------------------------

void ProcessBackend::supervise() noexcept {
    try {
        platform::Patience patience;
        while (!is_over()) {
            bool answers = false;
            std::vector<std::uint64_t> ready;
            patience.sleep({}, [&](Deadline until) {
                ready = ready_.wait(until);
                return !ready.empty();
            });
            for (const auto tag : ready) {
                if (tag == bell_tag) {
                    bell_.silence();
                } else if (tag == answers_tag) {
                    answers = true;
                } else if (tag >= first_member_tag) {
                    tell_of_death(static_cast<std::uint32_t>(tag - first_member_tag));
                }
            }
            if (lead()) {
                do {
                    while (receive_one(now)) {
                    }
                } while (sync::spin_until([&] { return channel::has_some(*channels()->answers); }));
                stop_leading();
            } else if (answers) {
                leave_ringing_to_the_leader();
                // Unless it has gone meanwhile: then it had asked for the ringing that was just stopped.
                if (leader_.load() == nullptr) bell_.ring();
            }
            replace_after_crash();
            search_for_lost();
            hear_older();
            let_in();
            start_missing();
            send_home();
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "chorus: a pool's thread: %s\n", error.what());
        break_down(error.what());
    }
    watchdog_.stop();
}

void ProcessBackend::leave_ringing_to_the_leader() {
    const auto channels = this->channels();
    try {
        channel::stop_ringing(*channels->answers);  // the leader hears it
    } catch (const Damaged& damage) {
        lose_channels(channels, damage.what());
    }
}

void ProcessBackend::tell_of_death(std::uint32_t number) {
    ChannelsPointer channels;
    {
        const std::lock_guard guard(mutex_);
        WorkerEntry* const member = members_.find(number);
        if (member == nullptr) return;
        ready_.remove(member->process->process->get());
        member->is_told_dead = true;
        channels = member->channels;
    }
    say_through(channels, {0, number, AnswerHeader::died});  // behind all that it has said
}

// Tasks that the budget held back.
void ProcessBackend::let_in() {
    for (;;) {
        TaskPointer task;
        {
            const std::lock_guard guard(mutex_);
            task = budget_.next();
            if (!task) return;
            if (!ledger_.has(*task)) continue;  // cancelled
            renew(*task);
        }
        give_out_again(task);
    }
}

void ProcessBackend::start_missing() {
    for (;;) {
        {
            const std::lock_guard guard(mutex_);
            if (!needs_worker()) return;
        }
        try {
            start_one();
        } catch (const std::exception& error) {
            bool none = false;
            {
                const std::lock_guard guard(mutex_);
                none = members_.size() == 0;
            }
            if (none) break_down(std::string("the pool can start no worker: ") + error.what());
            return;  // those that are there go on; tried again when one of them has ended
        }
    }
}

void ProcessBackend::start_one() {
    WorkerEntry member;
    member.note = std::shared_ptr<WorkerStatus>(
        memory::object_at<WorkerStatus>(memory::allocate(sizeof(WorkerStatus))));
    new (member.note.get()) WorkerStatus;
    {
        const std::lock_guard guard(mutex_);
        member.number = members_.new_number();
    }
    member.channels = channels();
    WorkerKit kit{member.channels->tasks,
                  member.channels->answers,
                  member.note,
                  member.number,
                  options_.max_tasks_per_child,
                  options_.memory,
                  signals_,
                  platform::handles_terminations(),
                  nullptr};
    if (options_.last_lines != 0) {
        try {
            auto pipe = platform::make_pipe();
            member.words = StderrRelay::pass_on(std::move(pipe.first));
            kit.standard_error = std::make_shared<platform::FileDescriptor>(std::move(pipe.second));
        } catch (const OsError&) {  // too many open files: the worker writes to the program's own
            member.words = nullptr;
        }
    }
    const std::string name = options_.name.empty() ? "" : options_.name + "-" + std::to_string(member.number);
    const auto process =
        worker::make_process_state(name, false, make_worker_call(std::move(kit), options_.initializer),
                                   "PoolWorker", options_.start_method);
    process->report = worker::make_report();
    process->dies_with_parent = true;
    member.process = process;
    const auto number = member.number;
    {
        const std::lock_guard guard(mutex_);
        if (!options_.timeout.is_never()) {
            watchdog_.start();
            fall_due(start_of_member | number, options_.timeout);
        }
        members_.add(std::move(member));
    }
    try {
        worker::start(process);
    } catch (...) {
        const std::lock_guard guard(mutex_);
        members_.remove(number);
        throw;
    }
    try {
        const std::lock_guard guard(mutex_);
        WorkerEntry& started = *members_.find(number);
        started.is_started = true;
        if (started.is_killed || broken_ || is_left_) started.kill();
        ready_.add(process->process->get(), first_member_tag + number);
    } catch (...) {  // nobody would hear of its end
        worker::send_signal(process, SIGKILL);
        worker::join(process, {});
        say_through(channels(), {0, number, AnswerHeader::died});
        throw;
    }
}

void ProcessBackend::send_home() {
    {
        const std::lock_guard guard(mutex_);
        if (!closed_ || ledger_.size() > 0 || sent_sharing_) return;
        sent_sharing_ = true;
        members_.for_each([](const WorkerEntry& member) {  // also if it was stopped, or is about to be
            if (member.is_started) worker::send_signal(member.process, SIGCONT);
        });
    }
    const auto channels = this->channels();
    try {
        channel::shut_down(*channels->tasks, false);
    } catch (const Damaged&) {
        channel::give_up(*channels->tasks);
    }
}

bool ProcessBackend::is_over() const {
    const std::lock_guard guard(mutex_);
    return closed_ && ledger_.size() == 0 && members_.size() == 0 && deaths_in_hand_ == 0;
}

// ---- the clock ----------------------------------------------------------------------------------

// It runs from the first task that has a timeout on.
Watchdog::TimePoint ProcessBackend::look_at_the_clock(Watchdog::TimePoint time) noexcept {
    while (!fresh_.empty()) {
        auto fresh = fresh_.extract(fresh_.begin());
        if (fresh.value().when != Watchdog::never) fresh.value().when += time;
        due_.insert(std::move(fresh));
    }
    end_what_is_late(time);
    end_who_does_nothing(time);
    const auto next = due_.empty() ? Watchdog::never : due_.begin()->when;
    return watched_ ? std::min(next, watch_ends()) : next;
}

void ProcessBackend::fall_due(std::uint64_t id, const Deadline& timeout) {
    fresh_.insert({worker::RunningTime::after(Watchdog::TimePoint(0), timeout), id});
    watchdog_.look_again();
}

// Whoever is late is killed; that its task has failed is heard with its death.
void ProcessBackend::end_what_is_late(Watchdog::TimePoint time) noexcept {
    while (!due_.empty() && due_.begin()->when <= time) {
        const std::uint64_t id = due_.begin()->id;
        due_.erase(due_.begin());
        if ((id & start_of_member) != 0) {
            WorkerEntry* const member = members_.find(static_cast<std::uint32_t>(id));
            if (member == nullptr || member->is_ready) continue;
            member->is_late = true;
            member->kill();
            continue;
        }
        members_.doom_late(id);
    }
}

Watchdog::TimePoint ProcessBackend::watch_ends() const {
    return worker::RunningTime::after(watched_->since, longest_timeout_);
}

// Somebody may have stopped a worker (SIGSTOP) where it keeps others from the tasks, or all that there are.
// So while tasks with a timeout wait to be begun and nothing has gone on for as long as the longest of their
// timeouts, stopped workers are ended.
void ProcessBackend::end_who_does_nothing(Watchdog::TimePoint time) noexcept {
    if (timed_waiting_ == 0) {
        watched_.reset();
        return;
    }
    const Watched seen{channel::taken_from(*channels()->tasks), heard_so_far_.load(), time};
    if (!watched_ || watched_->taken != seen.taken || watched_->heard != seen.heard) {
        watched_ = seen;
        return;
    }
    if (time < watch_ends()) return;
    watched_ = seen;
    members_.for_each([this](WorkerEntry& member) {
        if (!member.is_started || !platform::process_is_stopped(member.process->pid)) return;
        std::uint64_t doing = member.note->doing;
        const auto task = ledger_.find(WorkerStatus::task_of(doing));
        switch (WorkerStatus::step_of(doing)) {
            case WorkerStatus::running:
                if ((!task || !task->waits_to_begin) && member.note->at_queue == 0)
                    break;  // not at the queue, where it would hold up others
                [[fallthrough]];
            case WorkerStatus::idle:  // or starting
            case WorkerStatus::answered: member.end(doing, WorkerStatus::doomed); break;
            case WorkerStatus::taking: member.end(doing, WorkerStatus::recalled); break;
            default: break;
        }
    });
}

}  // namespace chorus::inline v0::detail::pool
