#include "pool/process_crew.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <utility>

#include "platform/patience.hpp"
#include "pool/last_words.hpp"
#include "sync/waiting.hpp"

namespace chorus::pool {

// ---- the crew's thread --------------------------------------------------------------------------

void ProcessCrew::supervise() noexcept {
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
                    while (hear_one(now)) {
                    }
                } while (sync::look_for([&] { return channel::has_some(*channels()->answers); }));
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
    clock_.stop();
}

void ProcessCrew::leave_ringing_to_the_leader() {
    const auto channels = this->channels();
    try {
        channel::stop_ringing(*channels->answers);  // the leader hears it
    } catch (const Damaged& damage) {
        lose_channels(channels, damage.what());
    }
}

void ProcessCrew::tell_of_death(std::uint32_t number) {
    ChannelsPointer channels;
    {
        const std::lock_guard guard(mutex_);
        Member* const member = members_.find(number);
        if (member == nullptr) return;
        ready_.remove(member->process->process->get());
        member->is_told_dead = true;
        channels = member->channels;
    }
    say_through(channels, {0, number, AnswerHeader::died});  // behind all that it has said
}

// Tasks that the budget held back.
void ProcessCrew::let_in() {
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

void ProcessCrew::start_missing() {
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

void ProcessCrew::start_one() {
    Member member;
    member.note = std::shared_ptr<Note>(memory::object_at<Note>(memory::allocate(sizeof(Note))));
    new (member.note.get()) Note;
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
            member.words = LastWords::pass_on(std::move(pipe.first));
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
        if (options_.timeout) {
            clock_.start();
            fall_due(start_of_member | number, *options_.timeout);
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
        Member& started = *members_.find(number);
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

void ProcessCrew::send_home() {
    {
        const std::lock_guard guard(mutex_);
        if (!closed_ || ledger_.size() > 0 || sent_home_) return;
        sent_home_ = true;
        members_.for_each(
            [](const Member& member) {  // whoever has stopped it, or is about to: it is to go now
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

bool ProcessCrew::is_over() const {
    const std::lock_guard guard(mutex_);
    return closed_ && ledger_.size() == 0 && members_.size() == 0 && deaths_in_hand_ == 0;
}

// ---- the clock ----------------------------------------------------------------------------------

// It runs from the first task that has a timeout on.
Clock::TimePoint ProcessCrew::look_at_the_clock(Clock::TimePoint time) noexcept {
    while (!fresh_.empty()) {
        auto fresh = fresh_.extract(fresh_.begin());
        if (fresh.value().when != Clock::never) fresh.value().when += time;
        due_.insert(std::move(fresh));
    }
    end_what_is_late(time);
    end_who_does_nothing(time);
    const auto next = due_.empty() ? Clock::never : due_.begin()->when;
    return watched_ ? std::min(next, watch_ends()) : next;
}

void ProcessCrew::fall_due(std::uint64_t id, const Timeout& timeout) {
    fresh_.insert({worker::RunningTime::after(Clock::TimePoint(0), timeout), id});
    clock_.look_again();
}

// Whoever is late is killed; that its task has failed is heard with its death.
void ProcessCrew::end_what_is_late(Clock::TimePoint time) noexcept {
    while (!due_.empty() && due_.begin()->when <= time) {
        const std::uint64_t id = due_.begin()->id;
        due_.erase(due_.begin());
        if ((id & start_of_member) != 0) {
            Member* const member = members_.find(static_cast<std::uint32_t>(id));
            if (member == nullptr || member->is_ready) continue;
            member->is_late = true;
            member->kill();
            continue;
        }
        members_.doom_late(id);
    }
}

Clock::TimePoint ProcessCrew::watch_ends() const {
    return worker::RunningTime::after(watched_->since, longest_timeout_);
}

// Somebody may have stopped a worker (SIGSTOP) where it keeps others from the tasks, or all that there are.
// So while tasks with a timeout wait to be begun and nothing has gone on for as long as the longest of their
// timeouts, stopped workers are ended.
void ProcessCrew::end_who_does_nothing(Clock::TimePoint time) noexcept {
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
    members_.for_each([this](Member& member) {
        if (!member.is_started || !platform::process_is_stopped(member.process->pid)) return;
        std::uint64_t doing = member.note->doing;
        const auto task = ledger_.find(Note::task_of(doing));
        switch (Note::step_of(doing)) {
            case Note::running:
                if ((!task || !task->waits_to_begin) && member.note->at_queue == 0)
                    break;  // not at the queue, where it would hold up others
                [[fallthrough]];
            case Note::idle:  // or starting
            case Note::answered: member.end(doing, Note::doomed); break;
            case Note::taking: member.end(doing, Note::recalled); break;
            default: break;
        }
    });
}

}  // namespace chorus::pool
