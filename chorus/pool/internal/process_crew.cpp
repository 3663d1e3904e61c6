// The crew of worker processes.
//
// Tasks go out through one queue that all workers take from, answers come back through another. Everything that
// happens is heard through the queue of answers, one thing after the other: answers, that a task has begun, and also that a
// worker has died, which the crew's own thread says there when the system tells it. So when a death is heard, all that the
// worker had answered before has been heard.
//
// Who hears: one thread at a time, the leader. That is a caller who waits for a result, so that the result needs no
// other thread to come to it; while nobody waits it is the crew's thread.
//
// The ledger of tasks is private memory of this process: a task that a worker took with it is still known here. Its id
// changes whenever it is given out again or done, and whatever comes under an old id is ignored.
#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <list>
#include <map>
#include <mutex>
#include <set>
#include <vector>

#include <chorus/channel/queue_access.hpp>
#include <chorus/memory/internal/region.hpp>
#include <chorus/message/outcome.hpp>
#include <chorus/platform/os_process.hpp>
#include <chorus/platform/os_thread.hpp>
#include <chorus/pool/internal/budget.hpp>
#include <chorus/pool/internal/crews.hpp>
#include <chorus/pool/internal/last_words.hpp>
#include <chorus/pool/internal/ledger.hpp>
#include <chorus/pool/internal/note.hpp>
#include <chorus/pool/internal/process_worker.hpp>
#include <chorus/pool/task.hpp>
#include <chorus/sync/internal/waiting.hpp>
#include <chorus/worker/internal/lifetime.hpp>
#include <chorus/worker/internal/process_state.hpp>
#include <chorus/worker/internal/report.hpp>

namespace chorus::pool {
namespace {

template <class T>
std::span<const std::byte> as_bytes(const T& value) {
    return std::as_bytes(std::span(&value, 1));
}

// Names the calling thread as long as it lives.
const void* this_thread() noexcept {
    static thread_local char here;
    return &here;
}

std::vector<std::byte>& scratch() {
    static thread_local std::vector<std::byte> buffer;
    return buffer;
}

struct Member {
    std::uint32_t number = 0;
    worker::ProcessPointer process;
    std::shared_ptr<Note> note;
    std::shared_ptr<LastWords> words;  ///< null if none are kept
    bool is_late = false;              ///< it was not ready in time, and killed for it
    // It takes tasks before whoever starts it knows that it is there: then it is killed a moment later.
    bool is_started = false;
    bool is_killed = false;

    void kill() noexcept {
        is_killed = true;
        if (!is_started) return;
        try {
            worker::send_signal(process, SIGKILL);
        } catch (const std::exception& error) {
            std::fprintf(stderr, "chorus: a worker of a pool cannot be killed: %s\n", error.what());
        }
    }
};

// What was heard, out of the queue.
struct Heard {
    AnswerHeader header;
    std::size_t begin = 0;  ///< of the rest, in the leader's memory
    std::size_t size = 0;
    std::span<const std::byte> long_rest;
    std::optional<channel::TakenBlock> block;
    message::Attachments attachments;
    std::exception_ptr error;
};

struct Due {
    Deadline::Clock::time_point when;
    std::uint64_t id = 0;
    friend bool operator<(const Due& a, const Due& b) { return std::tie(a.when, a.id) < std::tie(b.when, b.id); }
};

// Outlives the crew, so that its thread can let go of it before it says that it has.
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
        if (!deadline.is_never()) return changed.wait_until(lock, deadline.when(), [this] { return is_gone; });
        changed.wait(lock, [this] { return is_gone; });
        return true;
    }
};

std::string seconds(const Timeout& time) {
    char text[32];
    std::snprintf(text, sizeof text, "%g s", time.duration().count());
    return text;
}

using TaskMessage = Message<TaskHeader>;

class ProcessCrew final : public Crew, public std::enable_shared_from_this<ProcessCrew> {
public:
    explicit ProcessCrew(CrewOptions options)
        : options_(std::move(options)), wanted_(options_.workers), copy_(memory::copy_number()), budget_(options_.budget) {}

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
    void cancel_waiting() noexcept override;
    void terminate() noexcept override;
    std::vector<int> worker_pids() const override;

private:
    static constexpr std::uint64_t bell_tag = 0;
    static constexpr std::uint64_t answers_tag = 1;
    static constexpr std::uint64_t first_member_tag = 2;
    static constexpr std::uint64_t start_of_member = std::uint64_t{1} << 63;  ///< among what is due, besides tasks' ids

    bool is_a_copy() const noexcept { return copy_ != memory::copy_number(); }

    // ---- the ledger; mutex_ is held, up to doom() ----
    void require_open() const;
    void start_thread(void* (*run)(void*), void* argument);
    void begin();
    bool enter(const TaskPointer& task);
    TaskPointer remove(std::uint64_t id);
    void renew(Task& task);
    void count_as_waiting(Task& task, bool waits) noexcept;
    bool needs_worker() const noexcept { return members_.size() < std::min(wanted_, ledger_.size()) && !broken_; }
    void not_due(std::uint64_t id) noexcept {
        std::erase_if(due_, [&](const Due& due) { return due.id == id; });
    }
    bool is_begun(std::uint64_t id) const noexcept;
    bool take_back(const Task& task, std::uint64_t id) noexcept;
    void doom(std::uint64_t id) noexcept;
    bool end_worker(Member& member, std::uint64_t& doing, Note::Step how) noexcept;

    void give_out(const TaskPointer& task, TaskMessage& message, bool first_time);
    void give_out_again(const TaskPointer& task);
    std::vector<TaskPointer> take_all();
    void break_down(const std::string& why);

    // ---- the leader ----
    bool lead() noexcept;
    void stop_leading();
    bool lead_until(const worker::FutureState& future, Deadline deadline);
    bool hear_one(Deadline deadline);
    bool take_what_came(Deadline deadline);
    void heed(Heard heard, std::span<const std::byte> rest);
    void heed_outcome(Heard& heard, std::span<const std::byte> rest);
    void heed_begun(const AnswerHeader& header);
    void heed_death(std::uint32_t number);
    void heed_lost(std::uint64_t id);
    TaskPointer lose(std::uint64_t id, int Task::*times, int TaskOptions::*retries);
    using Limit = std::optional<Timeout> TaskOptions::*;
    bool has_limit(std::uint64_t id, Limit limit) const;
    void fail_late(std::uint64_t id, Limit limit);
    void fail_dead(std::uint64_t id, const worker::Death& death, const Member& member);

    // ---- the clock; mutex_ is held ----
    void start_clock();
    void stop_clock();
    void watch_the_clock() noexcept;
    Deadline watch_ends() const;
    void end_what_is_late() noexcept;
    void end_who_does_nothing() noexcept;

    // ---- the crew's thread ----
    void supervise() noexcept;
    void let_in();
    void start_missing();
    void start_one();
    void send_home();
    bool is_over() const;
    void tell_of_death(std::uint32_t number);
    void say(AnswerHeader header) { post(answers_, as_bytes(header)); }

    const CrewOptions options_;
    std::size_t wanted_;
    const std::uint32_t copy_;  ///< of the process that has made it
    // Made with the first task: a pool that is a static object begins nothing in the images that only start workers.
    channel::QueuePointer tasks_;
    channel::QueuePointer answers_;
    platform::SignalMask signals_{};
    platform::ReadySet ready_;
    platform::Doorbell bell_;

    mutable std::mutex mutex_;  ///< guards what follows
    Ledger ledger_;
    Budget budget_;
    std::uint64_t submitted_ = 0;
    std::map<std::uint32_t, Member> members_;
    std::uint32_t last_member_ = 0;
    std::set<Due> due_;
    // Of tasks with a timeout: how many no worker has begun, the longest timeout of any, and what has gone on when somebody looked last.
    std::size_t timed_waiting_ = 0;
    std::chrono::duration<double> longest_timeout_{0};
    struct Watched {
        std::uint32_t taken = 0;
        std::uint64_t heard = 0;
        Deadline::Clock::time_point since;
    };
    std::optional<Watched> watched_;
    enum class Clock { none, runs, ends, has_ended } clock_ = Clock::none;
    std::condition_variable clock_changed_;
    std::atomic<bool> begun_{false};
    bool closed_ = false;
    bool sent_home_ = false;
    int died_unready_ = 0;  ///< workers, one after the other
    const std::shared_ptr<Gone> gone_ = std::make_shared<Gone>();
    std::optional<std::string> broken_;

    std::atomic<const void*> leader_{nullptr};
    std::atomic<bool> leader_waits_{false};  ///< for a future, which somebody else may end
    std::atomic<std::uint64_t> heard_so_far_{0};
    // The leader's.
    std::list<Heard> heard_;
    std::vector<std::byte> memory_;
    std::list<std::vector<std::byte>> older_memory_;
    int depth_ = 0;
};

// ---- the ledger ------------------------------------------------------------------------------------

void ProcessCrew::require_open() const {
    if (is_a_copy()) throw UsageError("this pool was made by another process: make one here, or submit there");
    if (broken_) throw BrokenPool(*broken_);
    if (closed_) throw UsageError("the pool is closed: nothing more can be submitted");
}

void ProcessCrew::start_thread(void* (*run)(void*), void* argument) {
    const platform::SignalsBlocked blocked;  // the program's handlers run in the program's threads
    signals_ = blocked.before();
    platform::start_thread(run, argument, 0);
}

void ProcessCrew::begin() {
    if (begun_) return;
    tasks_ = channel::make_queue(typeid(TaskItem), {});
    answers_ = channel::make_queue(typeid(AnswerItem), {});
    ready_.add(bell_.descriptor(), bell_tag);
    ready_.add(channel::descriptor_of(*answers_), answers_tag);
    auto self = std::make_unique<std::shared_ptr<ProcessCrew>>(shared_from_this());
    try {
        start_thread(
            [](void* argument) -> void* {
                platform::name_this_thread("chorus-pool");
                std::unique_ptr<std::shared_ptr<ProcessCrew>> crew(static_cast<std::shared_ptr<ProcessCrew>*>(argument));
                const auto gone = (*crew)->gone_;
                (*crew)->supervise();
                crew.reset();
                gone->tell();
                return nullptr;
            },
            self.get());
    } catch (const std::exception& error) {  // the next task may find room for one
        ready_.remove(bell_.descriptor());
        ready_.remove(channel::descriptor_of(*answers_));
        throw BrokenPool(std::string("the pool can start no thread: ") + error.what());
    }
    self.release();
    begun_ = true;
    finish_at_the_end(shared_from_this());
}

TaskPointer ProcessCrew::remove(std::uint64_t id) {
    auto task = ledger_.remove(id);
    if (!task) return nullptr;
    count_as_waiting(*task, false);
    const bool others_may_go = budget_.leave(task);
    if (others_may_go || (closed_ && ledger_.size() == 0)) bell_.ring();
    return task;
}

// For another attempt.
void ProcessCrew::renew(Task& task) {
    ledger_.renew(task);
    task.is_placed = false;
    task.is_encoding = true;
    count_as_waiting(task, true);
}

void ProcessCrew::count_as_waiting(Task& task, bool waits) noexcept {
    if (!task.options.timeout || task.waits_to_begin == waits) return;
    task.waits_to_begin = waits;
    timed_waiting_ += waits ? 1 : std::size_t(-1);
}

bool has_limits(const TaskOptions& options) noexcept { return options.memory != 0 || options.cpu_time; }

TaskHeader header_of(const Task& task) noexcept {
    std::uint64_t flags = TaskHeader::none;
    if (task.options.timeout) flags |= TaskHeader::tell_when_begun;
    if (has_limits(task.options)) flags |= TaskHeader::has_limits;
    return {task.id, flags};
}

// What follows the header.
void write_task(message::Writer& out, const Task& task) {
    if (has_limits(task.options)) {
        TaskLimits limits;
        limits.memory = task.options.memory;
        if (task.options.cpu_time)
            limits.cpu_time = std::max<std::int64_t>(1, std::chrono::nanoseconds(Deadline(task.options.cpu_time->duration()).remaining()).count());
        out.write_raw(limits);
    }
    task.encode(out);
}

void ProcessCrew::submit(TaskPointer task) {
    if (is_a_copy()) require_open();  // before any lock: a thread that is not here may have it
    if (!task->options.timeout) task->options.timeout = options_.timeout;
    if (!task->options.cpu_time) task->options.cpu_time = options_.cpu_time;
    // No worker could be started, and this thread's own objects may be destroyed already: one of them is used below.
    if (worker::is_ending()) throw UsageError("nothing can be submitted to a pool any more: the program is ending");
    if (!begun_) {
        const std::lock_guard guard(mutex_);
        require_open();
        begin();
    }
    TaskMessage message(tasks_, scratch());
    std::exception_ptr error;
    try {
        write_task(message.out(), *task);
    } catch (...) {
        error = std::current_exception();
    }
    if (!error) return give_out(task, message, true);
    {
        const std::lock_guard guard(mutex_);
        require_open();
        task->number = ++submitted_;
    }
    task->future().set_error(error);
}

// Requires: mutex_. Returns false if let_in() will give it out.
bool ProcessCrew::enter(const TaskPointer& task) {
    require_open();
    if (task->options.timeout) start_clock();
    ledger_.add(task);
    task->number = ++submitted_;
    if (task->options.timeout) {
        longest_timeout_ = std::max(longest_timeout_, task->options.timeout->duration());
        if (!watched_) clock_changed_.notify_all();
    }
    count_as_waiting(*task, true);
    return budget_.enter(task);
}

// Nothing is put under the ledger's lock, for the reason that take_back() gives.
// Throws, the first time: UsageError after close(), BrokenPool, OsError. That it cannot be put is the task's error.
void ProcessCrew::give_out(const TaskPointer& task, TaskMessage& message, bool first_time) {
    TaskHeader header;
    bool ring = false;
    {
        const std::lock_guard guard(mutex_);
        if (first_time) task->bytes = message.size();
        if (first_time && !enter(task)) return;
        if (!ledger_.has(*task)) return;  // it was cancelled meanwhile
        ring = needs_worker();
        header = header_of(*task);
    }
    if (message.is_long() && std::exchange(ring, false)) bell_.ring();  // if there is no room, who makes some has to be there
    std::exception_ptr error;
    try {
        const auto position = message.put(header);
        bool gone = false;
        {
            const std::lock_guard guard(mutex_);
            gone = ledger_.find(header.id) != task;  // it was cancelled meanwhile, or is done
            if (!gone) {
                task->position = position;
                task->is_placed = true;
            }
        }
        if (gone && !channel::retract(*tasks_, position)) {
            const std::lock_guard guard(mutex_);
            doom(header.id);
        }
    } catch (...) {
        error = std::current_exception();
        const std::lock_guard guard(mutex_);
        remove(header.id);
    }
    if (ring) bell_.ring();
    if (error) task->future().set_error(error);
}

void ProcessCrew::give_out_again(const TaskPointer& task) {
    try {
        std::vector<std::byte> memory;
        TaskMessage message(tasks_, memory);
        write_task(message.out(), *task);
        task->future().set_pending();
        give_out(task, message, false);
    } catch (...) {
        task->future().set_error(std::current_exception());
    }
    bool done = false;
    {
        const std::lock_guard guard(mutex_);
        task->is_encoding = false;
        done = task->future().is_done();
        if (done) remove(task->id);
    }
    if (done) task->drop_call();
}

// Requires: mutex_, as the next two do.
bool ProcessCrew::is_begun(std::uint64_t id) const noexcept {
    return std::any_of(members_.begin(), members_.end(), [&](const auto& each) {
        const auto doing = each.second.note->doing.load();
        return Note::task_of(doing) == id && Note::step_of(doing) != Note::taking;
    });
}

// Requires: not mutex_, as the queue's own lock may be with a worker that somebody has stopped: only the clock can end that
// one, and needs mutex_. Returns whether no worker will begin the task. One that has run for so long that its position means another message by now is begun.
bool ProcessCrew::take_back(const Task& task, std::uint64_t id) noexcept {
    std::uint32_t position = 0;
    {
        const std::lock_guard guard(mutex_);
        if (!task.is_placed || is_begun(id)) return false;
        position = task.position;
    }
    return channel::retract(*tasks_, position);
}

// Only the worker that has this very task is killed: see note.hpp.
void ProcessCrew::doom(std::uint64_t id) noexcept {
    for (auto& [number, member] : members_) {
        std::uint64_t seen = member.note->doing.load();
        while (seen == Note::with(id, Note::taking) || seen == Note::with(id, Note::running)) {
            if (end_worker(member, seen, Note::doomed)) return;
        }
    }
}

// Returns false, and what it does now, if it does something else by now.
bool ProcessCrew::end_worker(Member& member, std::uint64_t& doing, Note::Step how) noexcept {
    if (!member.note->doing.compare_exchange_strong(doing, Note::with(Note::task_of(doing), how))) return false;
    member.kill();
    return true;
}

void ProcessCrew::cancelled(Task& task) noexcept {
    if (is_a_copy()) return;
    TaskPointer held;
    std::uint64_t id = 0;
    {
        const std::lock_guard guard(mutex_);
        id = task.id;
        held = remove(id);
    }
    if (!held) return;
    if (!take_back(task, id)) {
        const std::lock_guard guard(mutex_);
        doom(id);
    }
    {
        const std::lock_guard guard(mutex_);
        if (task.is_encoding) return;  // who gives it out again sees that it is done
    }
    task.drop_call();
}

bool ProcessCrew::has_begun(const Task& task) const noexcept {
    if (is_a_copy()) return false;
    const std::lock_guard guard(mutex_);
    return is_begun(task.id);
}

// Requires: mutex_. Who ends the workers takes the tasks first: else a death could be heard before, and be what became of a task.
std::vector<TaskPointer> ProcessCrew::take_all() {
    auto all = ledger_.all();
    for (const auto& task : all) remove(task->id);
    return all;
}

void ProcessCrew::break_down(const std::string& why) {
    std::vector<TaskPointer> all;
    {
        const std::lock_guard guard(mutex_);
        if (broken_) return;
        broken_ = why;
        closed_ = true;
        all = take_all();
        for (auto& [number, member] : members_) member.kill();
    }
    for (const auto& task : all) task->future().set_error(std::make_exception_ptr(BrokenPool(why)));
    bell_.ring();
}

// ---- the leader ------------------------------------------------------------------------------------

bool ProcessCrew::lead() noexcept {
    const void* nobody = nullptr;
    return leader_.compare_exchange_strong(nobody, this_thread());
}

void ProcessCrew::stop_leading() {
    leader_waits_ = false;
    const bool something_left = !heard_.empty();
    leader_ = nullptr;
    if (something_left || channel::is_ready_or_will_ring(*answers_)) bell_.ring();
}

// Requires: the caller is the leader.
bool ProcessCrew::lead_until(const worker::FutureState& future, Deadline deadline) {
    for (;;) {
        if (heard_.empty()) leader_waits_ = true;  // before it looks: whoever ends the future afterwards sees this
        if (future.is_done()) return true;
        if (!hear_one(deadline) && deadline.has_passed()) return future.is_done();
    }
}

bool ProcessCrew::wait_for(const worker::FutureState& future, Deadline deadline) {
    if (leader_.load() == this_thread()) return lead_until(future, deadline);  // in a callback: what it waits for can only come through here
    while (!future.is_done()) {
        if (!lead()) return future.sleep_until_done(deadline);
        bool done = false;
        try {
            channel::stop_ringing(*answers_);
            done = lead_until(future, deadline);
        } catch (...) {
            stop_leading();
            throw;
        }
        stop_leading();
        if (!done) return false;
    }
    return true;
}

void ProcessCrew::wake_waiting() noexcept {
    if (!leader_waits_.load() || leader_.load() == this_thread() || is_a_copy()) return;
    if (leader_waits_.exchange(false)) say({0, 0, AnswerHeader::wake_up});
}

// Returns false when nothing came in time.
bool ProcessCrew::hear_one(Deadline deadline) {
    if (heard_.empty() && !take_what_came(deadline)) return false;
    std::list<Heard> one;
    one.splice(one.begin(), heard_, heard_.begin());
    Heard heard = std::move(one.front());
    const auto rest = heard.block ? heard.long_rest : std::span<const std::byte>(memory_).subspan(heard.begin, heard.size);
    ++depth_;
    heard_so_far_.fetch_add(1, std::memory_order_relaxed);
    try {
        heed(std::move(heard), rest);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "chorus: in a pool: %s\n", error.what());
    }
    if (--depth_ == 0) older_memory_.clear();
    return true;
}

bool ProcessCrew::take_what_came(Deadline deadline) {
    constexpr std::size_t most = 64;
    if (depth_ > 0) older_memory_.push_back(std::exchange(memory_, {}));  // somebody up the stack still reads there
    memory_.clear();
    std::list<Heard> came;
    std::vector<std::uint32_t> blocks;
    try {
        channel::Getting getting(*answers_, deadline);
        do {
            auto& heard = came.emplace_back();
            const auto bytes = getting.bytes();
            if (bytes.size() < sizeof heard.header) throw DecodeError("message cut short: an answer without its number");
            std::memcpy(&heard.header, bytes.data(), sizeof heard.header);
            const auto rest = bytes.subspan(sizeof heard.header);
            try {
                heard.attachments = getting.attachments();
            } catch (...) {
                heard.error = std::current_exception();  // of the one task whose answer it is
            }
            blocks.push_back(getting.block());
            if (getting.is_long()) {
                heard.long_rest = rest;
            } else {
                heard.begin = memory_.size();
                heard.size = rest.size();
                memory_.insert(memory_.end(), rest.begin(), rest.end());
            }
        } while (came.size() < most && getting.next());
        getting.commit();
    } catch (const Empty&) {
        return false;
    }
    std::size_t i = 0;
    for (auto& heard : came) {
        if (!heard.long_rest.empty()) heard.block.emplace(answers_, blocks[i]);
        ++i;
    }
    heard_.splice(heard_.end(), came);
    return true;
}

void ProcessCrew::heed(Heard heard, std::span<const std::byte> rest) {
    const auto& header = heard.header;
    switch (header.kind) {
        case AnswerHeader::outcome: return heed_outcome(heard, rest);
        case AnswerHeader::begun: return heed_begun(header);
        case AnswerHeader::not_initialised: {
            message::Reader in(rest);
            const std::string stack = in.read_text();
            const auto failure = message::describe(message::read_exception(in, stack));
            return break_down("the initializer of the pool's workers failed: " + failure.type + ": " + failure.message);
        }
        case AnswerHeader::died: return heed_death(header.worker);
        case AnswerHeader::look_again: return heed_lost(header.id);
        case AnswerHeader::ready: {
            const std::lock_guard guard(mutex_);
            died_unready_ = 0;
            not_due(start_of_member | header.worker);
            return;
        }
        case AnswerHeader::wake_up: return;
    }
}

void ProcessCrew::heed_outcome(Heard& heard, std::span<const std::byte> rest) {
    TaskPointer task;
    {
        const std::lock_guard guard(mutex_);
        task = remove(heard.header.id);
        if (task && task->options.timeout) not_due(heard.header.id);
    }
    if (!task) return;  // of an older attempt, or cancelled
    task->drop_call();
    task->bytes += rest.size();
    try {
        if (heard.error) std::rethrow_exception(heard.error);
        message::Reader in(rest, &heard.attachments);
        const std::string stack = in.read_text();
        message::Reader from_ending = in;
        if (in.read_raw<message::Ending>() == message::Ending::value) {
            task->take_value(in);
        } else {
            task->future().set_error(message::read_exception(from_ending, stack));
        }
    } catch (...) {
        task->future().set_error(std::current_exception());
    }
}

void ProcessCrew::heed_begun(const AnswerHeader& header) {
    {
        const std::lock_guard guard(mutex_);
        const auto task = ledger_.find(header.id);
        if (!task || !task->options.timeout) return;
        count_as_waiting(*task, false);
        task->future().set_running();
        due_.insert({Deadline(task->options.timeout->duration()).when(), header.id});
    }
    clock_changed_.notify_all();
}

void ProcessCrew::heed_death(std::uint32_t number) {
    Member member;
    {
        const std::lock_guard guard(mutex_);
        auto found = members_.extract(number);
        if (found.empty()) return;
        member = std::move(found.mapped());
    }
    bell_.ring();  // for another one in its place
    worker::poll(*member.process);
    const worker::Report report(member.process->report);
    const auto exitcode = [&] {
        const std::lock_guard guard(member.process->mutex);
        return member.process->exitcode.value_or(255);
    }();
    const auto death = [&] {
        auto died = worker::death_of(exitcode, report, options_.memory);
        if (member.is_late) died.what = "not ready within the pool's .timeout of " + seconds(*options_.timeout) + ", and ended for it";
        return died;
    };
    if (member.words) member.words->catch_up();  // all it has written comes out before the world hears of its end
    if (member.note->stage == Note::starting) {
        // Some may be killed by somebody; so many, one after the other, mean that none will ever be ready.
        const int enough = exitcode == -SIGKILL && !member.is_late ? 100 : 3;
        int times = 0;
        {
            const std::lock_guard guard(mutex_);
            times = ++died_unready_;
            not_due(start_of_member | number);
            if (closed_ && ledger_.size() == 0) return;
        }
        if (times < enough) return;
        const auto died = death();
        return break_down(std::to_string(times) + " workers of the pool, one after the other, died before they were ready" +
                          (options_.initializer ? ", in its initializer" : "") + ": " + died.what + (died.stack.empty() ? "" : "\n" + died.stack));
    }
    const std::uint64_t doing = member.note->doing;
    const auto id = Note::task_of(doing);
    const auto step = Note::step_of(doing);
    if (id == 0) return;
    if (step == Note::doomed) {
        if (has_limit(id, &TaskOptions::timeout)) return fail_late(id, &TaskOptions::timeout);
        auto stopped = death();
        stopped.what = "stopped by somebody while it held up others, and killed for it";
        return fail_dead(id, stopped, member);
    }
    if (step != Note::taking && step != Note::recalled) {
        const bool late = platform::is_cpu_time_signal(exitcode) && has_limit(id, &TaskOptions::cpu_time);
        return late ? fail_late(id, &TaskOptions::cpu_time) : fail_dead(id, death(), member);
    }
    const std::uint32_t item = member.note->item;
    if (static_cast<std::int32_t>(channel::taken_from(*tasks_) - item) < 0) return;  // it is still in the queue
    {
        // One that noted the message and died before it noted the task had not taken it: its death will not tell of this task.
        const std::lock_guard guard(mutex_);
        if (std::any_of(members_.begin(), members_.end(),
                        [&](const auto& each) { return each.second.note->item == item && Note::task_of(each.second.note->doing) == id; })) {
            return;
        }
    }
    // Another may have taken it and be done with it already: then its answer is in the queue before what is said now.
    say({id, number, AnswerHeader::look_again});
}

bool ProcessCrew::has_limit(std::uint64_t id, Limit limit) const {
    const std::lock_guard guard(mutex_);
    const auto task = ledger_.find(id);
    return task && task->options.*limit;
}

// A task that went with a worker which had not begun it.
void ProcessCrew::heed_lost(std::uint64_t id) {
    TaskPointer task;
    {
        const std::lock_guard guard(mutex_);
        task = ledger_.find(id);
        if (task) renew(*task);
    }
    if (task) give_out_again(task);
}

// The attempt has failed. Returns null if there will be another one, or if the task is done already; else it is out of the ledger.
TaskPointer ProcessCrew::lose(std::uint64_t id, int Task::*times, int TaskOptions::*retries) {
    TaskPointer task;
    {
        const std::lock_guard guard(mutex_);
        task = ledger_.find(id);
        if (!task) return nullptr;
        not_due(id);
        if ((*task.*times)++ >= task->options.*retries || broken_) return remove(id);
        renew(*task);
    }
    give_out_again(task);
    return nullptr;
}

// "task 7 (parse)". The call is not needed any more.
std::string name_and_drop(Task& task) {
    const std::string function = task.function_name();
    task.drop_call();
    return "task " + std::to_string(task.number) + (function.empty() ? "" : " (" + function + ")");
}

void ProcessCrew::fail_late(std::uint64_t id, Limit limit) {
    const auto task = lose(id, &Task::late, &TaskOptions::timeout_retries);
    if (!task) return;
    const auto& time = task->options.*limit;
    task->future().set_error(std::make_exception_ptr(
        TimedOut(name_and_drop(*task) + (limit == &TaskOptions::timeout ? " took longer than its timeout of " : " used more CPU time than its cpu_time of ") +
                 (time ? seconds(*time) : "") + ", and its worker was ended")));
}

void ProcessCrew::fail_dead(std::uint64_t id, const worker::Death& death, const Member& member) {
    const auto task = lose(id, &Task::deaths, &TaskOptions::retries);
    if (!task) return;
    WorkerDied::Circumstances circumstances;
    circumstances.task = task->number;
    circumstances.memory = member.process->peak_memory;
    if (member.words) circumstances.last_lines = member.words->lines(options_.last_lines);
    std::string what = name_and_drop(*task) + ": its worker " + (death.exitcode < 0 ? "was " : "") + death.what;
    if (task->deaths > 1) what += ", for the " + std::to_string(task->deaths) + ". time";
    if (circumstances.memory != 0) what += "; it had at most " + std::to_string((circumstances.memory + 0xfffff) >> 20) + " MiB in memory";
    if (!circumstances.last_lines.empty()) what += "\nthe last lines of its standard error:\n" + circumstances.last_lines;
    task->future().set_error(std::make_exception_ptr(WorkerDied(what, death.exitcode, death.stack, std::move(circumstances))));
}

// ---- the clock -------------------------------------------------------------------------------------

// A thread of its own, begun with the first task that has a timeout. It takes no lock but the crew's, under which nobody waits
// for a queue: so it can end a worker that was stopped with the queue's lock in its hands, and everybody else waits for that.
void ProcessCrew::start_clock() {
    if (clock_ != Clock::none) return;
    start_thread(
        [](void* crew) -> void* {
            platform::name_this_thread("chorus-clock");
            static_cast<ProcessCrew*>(crew)->watch_the_clock();
            return nullptr;
        },
        this);
    clock_ = Clock::runs;
}

void ProcessCrew::stop_clock() {
    std::unique_lock lock(mutex_);
    if (clock_ != Clock::runs) return;
    clock_ = Clock::ends;
    clock_changed_.notify_all();
    clock_changed_.wait(lock, [&] { return clock_ == Clock::has_ended; });
}

void ProcessCrew::watch_the_clock() noexcept {
    std::unique_lock lock(mutex_);
    while (clock_ != Clock::ends) {
        end_what_is_late();
        end_who_does_nothing();
        auto next = due_.empty() ? Deadline::Clock::time_point::max() : due_.begin()->when;
        if (watched_) next = std::min(next, watch_ends().when());
        if (next == Deadline::Clock::time_point::max()) {
            clock_changed_.wait(lock);
        } else {
            clock_changed_.wait_until(lock, next);
        }
    }
    clock_ = Clock::has_ended;
    clock_changed_.notify_all();
}

// Whoever is late is killed; that its task has failed is heard with its death.
void ProcessCrew::end_what_is_late() noexcept {
    while (!due_.empty() && due_.begin()->when <= Deadline::Clock::now()) {
        const std::uint64_t id = due_.begin()->id;
        due_.erase(due_.begin());
        if ((id & start_of_member) != 0) {
            const auto found = members_.find(static_cast<std::uint32_t>(id));
            if (found == members_.end() || found->second.note->stage != Note::starting) continue;
            found->second.is_late = true;
            found->second.kill();
            continue;
        }
        for (auto& [number, member] : members_) {
            // One that has answered and was not heard was stopped in the midst of it, or is late after all. If its answer is there, that
            // is heard before its death.
            std::uint64_t running = Note::with(id, Note::running);
            std::uint64_t answered = Note::with(id, Note::answered);
            if (end_worker(member, running, Note::doomed) || end_worker(member, answered, Note::doomed)) break;
        }
    }
}

Deadline ProcessCrew::watch_ends() const {
    return Deadline(watched_->since + std::chrono::duration_cast<Deadline::Clock::duration>(std::min(longest_timeout_, std::chrono::duration<double>(1e9))));
}

// Somebody may have stopped a worker (SIGSTOP) where it keeps others from the tasks, or all that there are. So while tasks with a
// timeout wait to be begun and nothing has gone on for as long as the longest of their timeouts, stopped workers are ended.
void ProcessCrew::end_who_does_nothing() noexcept {
    if (timed_waiting_ == 0) {
        watched_.reset();
        return;
    }
    const Watched seen{channel::taken_from(*tasks_), heard_so_far_.load(), Deadline::Clock::now()};
    if (!watched_ || watched_->taken != seen.taken || watched_->heard != seen.heard) {
        watched_ = seen;
        return;
    }
    if (!watch_ends().has_passed()) return;
    watched_ = seen;
    for (auto& [number, member] : members_) {
        if (!member.is_started || !platform::process_is_stopped(member.process->pid)) continue;
        std::uint64_t doing = member.note->doing;
        const auto task = ledger_.find(Note::task_of(doing));
        switch (Note::step_of(doing)) {
            case Note::running:
                if ((!task || !task->waits_to_begin) && member.note->at_queue == 0) break;  // not at the queue, where it would hold up others
                [[fallthrough]];
            case Note::idle:  // or starting
            case Note::answered: end_worker(member, doing, Note::doomed); break;
            case Note::taking: end_worker(member, doing, Note::recalled); break;
            default: break;
        }
    }
}

// ---- the crew's thread -----------------------------------------------------------------------------

void ProcessCrew::supervise() noexcept {
    try {
        while (!is_over()) {
            bool answers = false;
            for (const auto tag : ready_.wait({})) {
                if (tag == bell_tag) {
                    bell_.silence();
                } else if (tag == answers_tag) {
                    answers = true;
                } else {
                    tell_of_death(static_cast<std::uint32_t>(tag - first_member_tag));
                }
            }
            if (lead()) {
                do {
                    while (hear_one(now)) {
                    }
                } while (sync::look_for([&] { return channel::size_of(*answers_) != 0; }));
                stop_leading();
            } else if (answers) {
                channel::stop_ringing(*answers_);  // the leader hears it
                // Unless it has gone meanwhile: then it had asked for the ringing that was just stopped.
                if (leader_.load() == nullptr) bell_.ring();
            }
            let_in();
            start_missing();
            send_home();
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "chorus: a pool's thread: %s\n", error.what());
        break_down(error.what());
    }
    stop_clock();
}

void ProcessCrew::tell_of_death(std::uint32_t number) {
    {
        const std::lock_guard guard(mutex_);
        const auto found = members_.find(number);
        if (found == members_.end()) return;
        ready_.remove(found->second.process->process->get());
    }
    say({0, number, AnswerHeader::died});
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
                none = members_.empty();
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
        member.number = ++last_member_;
    }
    WorkerKit kit{tasks_, answers_, member.note, member.number, options_.max_tasks_per_child, options_.memory, signals_, nullptr};
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
    const auto process = worker::make_process_state(name, false, make_worker_call(std::move(kit), options_.initializer), "PoolWorker", std::nullopt);
    process->report = worker::make_report();
    process->dies_with_parent = true;
    member.process = process;
    const auto number = member.number;
    {
        const std::lock_guard guard(mutex_);
        if (options_.timeout) {
            due_.insert({Deadline(options_.timeout->duration()).when(), start_of_member | number});
            start_clock();
            clock_changed_.notify_all();
        }
        members_.emplace(number, std::move(member));
    }
    try {
        worker::start(process);
    } catch (...) {
        const std::lock_guard guard(mutex_);
        members_.erase(number);
        throw;
    }
    try {
        const std::lock_guard guard(mutex_);
        auto& started = members_.at(number);
        started.is_started = true;
        if (started.is_killed || broken_) started.kill();
        ready_.add(process->process->get(), first_member_tag + number);
    } catch (...) {  // nobody would hear of its end
        worker::send_signal(process, SIGKILL);
        worker::join(process, {});
        say({0, number, AnswerHeader::died});
        throw;
    }
}

void ProcessCrew::send_home() {
    {
        const std::lock_guard guard(mutex_);
        if (!closed_ || ledger_.size() > 0 || sent_home_) return;
        sent_home_ = true;
        for (auto& [number, member] : members_) {
            // Whoever has stopped it: it is to go now.
            if (member.is_started && platform::process_is_stopped(member.process->pid)) worker::send_signal(member.process, SIGCONT);
        }
    }
    channel::shut_down(*tasks_, false);
}

bool ProcessCrew::is_over() const {
    const std::lock_guard guard(mutex_);
    return closed_ && ledger_.size() == 0 && members_.empty();
}

// ---- ending ----------------------------------------------------------------------------------------

void ProcessCrew::resize(std::size_t workers) {
    if (workers == 0) throw UsageError("a pool needs one worker or more, asked for 0");
    if (is_a_copy()) require_open();
    std::size_t too_many = 0;
    {
        const std::lock_guard guard(mutex_);
        require_open();
        wanted_ = workers;
        if (members_.size() > wanted_) too_many = members_.size() - wanted_;
    }
    // As many shall leave when they come to it. If one dies before, another may leave for it, and will be replaced.
    for (; too_many > 0; --too_many) post(tasks_, as_bytes(TaskHeader{}));
    bell_.ring();
}

void ProcessCrew::close() noexcept {
    if (is_a_copy()) return;
    {
        const std::lock_guard guard(mutex_);
        closed_ = true;
    }
    bell_.ring();
}

bool ProcessCrew::join(Deadline deadline) {
    if (is_a_copy()) return true;
    if (leader_.load() == this_thread()) throw UsageError("a pool cannot be joined from a callback of its own futures: it would wait for itself");
    {
        const std::lock_guard guard(mutex_);
        if (!closed_) throw UsageError("the pool is still open: close() it before join()");
        if (!begun_) return true;
    }
    return gone_->wait(deadline);
}

void ProcessCrew::cancel_waiting() noexcept {
    if (is_a_copy()) return;
    std::vector<std::pair<TaskPointer, std::uint64_t>> all;
    {
        const std::lock_guard guard(mutex_);
        for (const auto& task : ledger_.all()) all.emplace_back(task, task->is_held_back ? 0 : task->id);
    }
    for (const auto& [task, id] : all) {
        if (id == 0 || take_back(*task, id)) task->future().cancel();
    }
}

void ProcessCrew::terminate() noexcept {
    if (is_a_copy()) return;
    std::vector<TaskPointer> all;
    {
        const std::lock_guard guard(mutex_);
        closed_ = true;
        if (!begun_) return;
        all = take_all();
        sent_home_ = true;
        for (auto& [number, member] : members_) {
            if (member.note->stage == Note::starting) member.note->stage = Note::leaving;
            member.kill();
        }
    }
    channel::shut_down(*tasks_, true);
    for (const auto& task : all) task->future().cancel();
    bell_.ring();
}

bool ProcessCrew::finish(bool cancel_what_waits) noexcept {
    if (is_a_copy()) return false;
    close();
    if (cancel_what_waits) cancel_waiting();
    const bool ends_itself = leader_.load() == this_thread();  // in a callback, of which nobody else can wait
    {
        const std::lock_guard guard(mutex_);
        if (!begun_ || ends_itself) return false;
    }
    if (gone_->wait(now)) return false;
    gone_->wait({});
    return true;
}

std::vector<int> ProcessCrew::worker_pids() const {
    if (is_a_copy()) return {};
    const std::lock_guard guard(mutex_);
    std::vector<int> pids;
    for (const auto& [number, member] : members_) {
        if (member.is_started) pids.push_back(member.process->pid);
    }
    return pids;
}

}  // namespace

std::shared_ptr<Crew> make_process_crew(CrewOptions options) {
    if (options.workers == 0) options.workers = static_cast<std::size_t>(platform::usable_cpus());
    return std::make_shared<ProcessCrew>(std::move(options));
}

}  // namespace chorus::pool
