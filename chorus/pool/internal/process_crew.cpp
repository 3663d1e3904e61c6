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
#include <chorus/pool/internal/crews.hpp>
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
};

struct Slot {
    std::uint32_t generation = 1;
    TaskPointer task;
};

// What was heard, out of the queue.
struct Heard {
    AnswerHeader header;
    std::size_t begin = 0;  ///< of the rest, in the leader's memory
    std::size_t size = 0;
    std::span<const std::byte> long_rest;
    std::optional<channel::TakenBlock> block;
    message::Attachments attachments;
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

class ProcessCrew final : public Crew, public std::enable_shared_from_this<ProcessCrew> {
public:
    explicit ProcessCrew(CrewOptions options) : options_(std::move(options)), wanted_(options_.workers), copy_(memory::copy_number()) {}

    void submit(TaskPointer task) override;
    void cancelled(Task& task) noexcept override;
    bool has_begun(const Task& task) const noexcept override;
    bool can_stop_running() const noexcept override { return true; }
    bool wait_for(const worker::FutureState& future, Deadline deadline) override;
    void wake_waiting() noexcept override;

    std::size_t size() const noexcept override {
        const std::lock_guard guard(mutex_);
        return wanted_;
    }
    void resize(std::size_t workers) override;
    std::size_t unfinished() const override {
        const std::lock_guard guard(mutex_);
        return unfinished_;
    }
    void close() noexcept override;
    bool is_closed() const noexcept override {
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

    bool is_a_copy() const noexcept { return copy_ != memory::copy_number(); }

    // ---- the ledger; mutex_ is held ----
    void require_open() const;
    void begin();
    std::uint64_t add(const TaskPointer& task);
    TaskPointer find(std::uint64_t id) const;
    TaskPointer remove(std::uint64_t id);
    bool needs_worker() const noexcept { return members_.size() < std::min(wanted_, unfinished_) && !broken_; }
    bool is_begun(std::uint64_t id) const noexcept;
    bool take_back(const Task& task) noexcept;
    void doom(std::uint64_t id) noexcept;

    void give_out(const TaskPointer& task, message::Writer& out);
    void give_out_again(const TaskPointer& task);
    void fail_all(const std::function<std::exception_ptr()>& error);
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
    void lose(std::uint64_t id, const worker::Death& death);

    // ---- the crew's thread ----
    void supervise() noexcept;
    Deadline next_due() const;
    void end_what_is_late();
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
    std::vector<Slot> slots_;
    std::vector<std::uint32_t> free_;
    std::size_t unfinished_ = 0;
    std::uint64_t submitted_ = 0;
    std::map<std::uint32_t, Member> members_;
    std::uint32_t last_member_ = 0;
    std::set<Due> due_;
    bool begun_ = false;
    bool closed_ = false;
    bool sent_home_ = false;
    int died_unready_ = 0;  ///< workers, one after the other
    const std::shared_ptr<Gone> gone_ = std::make_shared<Gone>();
    std::optional<std::string> broken_;

    std::atomic<const void*> leader_{nullptr};
    std::atomic<bool> leader_waits_{false};  ///< for a future, which somebody else may end
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

void ProcessCrew::begin() {
    if (begun_) return;
    tasks_ = channel::make_queue(typeid(TaskItem), {});
    answers_ = channel::make_queue(typeid(AnswerItem), {});
    ready_.add(bell_.descriptor(), bell_tag);
    ready_.add(channel::descriptor_of(*answers_), answers_tag);
    auto self = std::make_unique<std::shared_ptr<ProcessCrew>>(shared_from_this());
    const platform::SignalsBlocked blocked;  // the program's handlers run in the program's threads
    signals_ = blocked.before();
    platform::start_thread(
        [](void* argument) -> void* {
            platform::name_this_thread("chorus-pool");
            std::unique_ptr<std::shared_ptr<ProcessCrew>> crew(static_cast<std::shared_ptr<ProcessCrew>*>(argument));
            const auto gone = (*crew)->gone_;
            (*crew)->supervise();
            crew.reset();
            gone->tell();
            return nullptr;
        },
        self.get(), 0);
    self.release();
    begun_ = true;
    finish_at_the_end(shared_from_this());
}

std::uint64_t ProcessCrew::add(const TaskPointer& task) {
    if (free_.empty()) {
        free_.push_back(static_cast<std::uint32_t>(slots_.size()));
        slots_.emplace_back();
    }
    const std::uint32_t place = free_.back();
    free_.pop_back();
    auto& slot = slots_[place];
    slot.task = task;
    task->id = std::uint64_t{place} << 32 | slot.generation;
    task->is_placed = false;
    ++unfinished_;
    return task->id;
}

TaskPointer ProcessCrew::find(std::uint64_t id) const {
    const std::uint64_t place = id >> 32;
    if (place >= slots_.size() || slots_[place].generation != static_cast<std::uint32_t>(id)) return nullptr;
    return slots_[place].task;
}

TaskPointer ProcessCrew::remove(std::uint64_t id) {
    const std::uint64_t place = id >> 32;
    if (place >= slots_.size()) return nullptr;
    auto& slot = slots_[place];
    if (slot.generation != static_cast<std::uint32_t>(id) || !slot.task) return nullptr;
    ++slot.generation;
    free_.push_back(static_cast<std::uint32_t>(place));
    --unfinished_;
    return std::exchange(slot.task, nullptr);
}

void ProcessCrew::submit(TaskPointer task) {
    {
        const std::lock_guard guard(mutex_);
        require_open();
        begin();
        task->number = ++submitted_;
    }
    message::Writer out(std::move(scratch()));
    try {
        out.write_raw(TaskHeader{0, task->options.timeout.has_value(), task->options.memory & ~(std::uint64_t{1} << 63)});
        task->encode(out);
        give_out(task, out);
    } catch (...) {
        task->future().set_error(std::current_exception());
    }
    scratch() = out.take();
}

// Short tasks are put under the ledger's lock: so nobody sees one that is in the ledger and not yet in the queue.
void ProcessCrew::give_out(const TaskPointer& task, message::Writer& out) {
    const std::vector<message::Attachment> attachments = out.attachments();
    std::vector<std::byte> bytes = out.take();
    task->bytes = bytes.size();
    bool ring = false;
    const auto write_id = [&](std::uint64_t id) { std::memcpy(bytes.data(), &id, sizeof id); };
    try {
        if (attachments.empty() && !channel::is_long(bytes.size())) {
            const std::lock_guard guard(mutex_);
            require_open();
            const auto id = add(task);
            write_id(id);
            try {
                task->position = post(tasks_, bytes);
            } catch (...) {
                remove(id);
                throw;
            }
            task->is_placed = true;
            ring = needs_worker();
        } else {
            std::uint64_t id = 0;
            {
                const std::lock_guard guard(mutex_);
                require_open();
                id = add(task);
                ring = needs_worker();
            }
            if (std::exchange(ring, false)) bell_.ring();
            write_id(id);
            std::uint32_t position = 0;
            try {
                position = post(tasks_, bytes, {}, attachments);
            } catch (...) {
                const std::lock_guard guard(mutex_);
                remove(id);
                throw;
            }
            const std::lock_guard guard(mutex_);
            if (find(id) == task) {
                task->position = position;
                task->is_placed = true;
            } else {
                channel::retract(*tasks_, position);  // it was cancelled meanwhile, or is done
            }
        }
    } catch (...) {
        out = message::Writer(std::move(bytes));
        throw;
    }
    out = message::Writer(std::move(bytes));
    if (ring) bell_.ring();
}

void ProcessCrew::give_out_again(const TaskPointer& task) {
    message::Writer out;
    try {
        out.write_raw(TaskHeader{0, task->options.timeout.has_value(), task->options.memory & ~(std::uint64_t{1} << 63)});
        task->encode(out);
        task->future().set_pending();
        give_out(task, out);
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
        return doing >> 3 == id && (doing & Note::step_mask) != Note::taking;
    });
}

// Returns whether no worker will begin it. One that has run for so long that its position means another message by now is begun.
bool ProcessCrew::take_back(const Task& task) noexcept { return task.is_placed && !is_begun(task.id) && channel::retract(*tasks_, task.position); }

// Only the worker that has this very task is killed: see note.hpp.
void ProcessCrew::doom(std::uint64_t id) noexcept {
    for (auto& [number, member] : members_) {
        std::uint64_t seen = member.note->doing.load();
        while (seen == Note::with(id, Note::taking) || seen == Note::with(id, Note::running)) {
            if (!member.note->doing.compare_exchange_weak(seen, Note::with(id, Note::doomed))) continue;
            worker::send_signal(member.process, SIGKILL);
            return;
        }
    }
}

void ProcessCrew::cancelled(Task& task) noexcept {
    TaskPointer held;
    {
        const std::lock_guard guard(mutex_);
        held = remove(task.id);
        if (held && !take_back(*held)) doom(task.id);
        if (held && held->is_encoding) held = nullptr;  // who gives it out again sees that it is done
    }
    if (held) held->drop_call();
}

bool ProcessCrew::has_begun(const Task& task) const noexcept {
    const std::lock_guard guard(mutex_);
    return is_begun(task.id);
}

void ProcessCrew::fail_all(const std::function<std::exception_ptr()>& error) {
    std::vector<TaskPointer> all;
    {
        const std::lock_guard guard(mutex_);
        for (std::size_t place = 0; place < slots_.size(); ++place) {
            if (!slots_[place].task) continue;
            all.push_back(remove(std::uint64_t{place} << 32 | slots_[place].generation));
        }
    }
    for (const auto& task : all) {
        if (error) {
            task->future().set_error(error());
        } else {
            task->future().cancel();
        }
    }
}

void ProcessCrew::break_down(const std::string& why) {
    {
        const std::lock_guard guard(mutex_);
        if (broken_) return;
        broken_ = why;
        closed_ = true;
        for (auto& [number, member] : members_) worker::send_signal(member.process, SIGKILL);
    }
    fail_all([&] { return std::make_exception_ptr(BrokenPool(why)); });
    bell_.ring();
}

// ---- the leader ------------------------------------------------------------------------------------

bool ProcessCrew::lead() noexcept {
    const void* nobody = nullptr;
    return leader_.compare_exchange_strong(nobody, this_thread());
}

void ProcessCrew::stop_leading() {
    leader_waits_ = false;
    leader_ = nullptr;
    if (channel::is_ready_or_will_ring(*answers_) || !heard_.empty()) bell_.ring();
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
            heard.attachments = getting.attachments();
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
        if (task && task->options.timeout) std::erase_if(due_, [&](const Due& due) { return due.id == heard.header.id; });
    }
    if (!task) return;  // of an older attempt, or cancelled
    task->drop_call();
    try {
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
    bool ring = false;
    {
        const std::lock_guard guard(mutex_);
        const auto task = find(header.id);
        if (!task || !task->options.timeout) return;
        task->future().set_running();
        const auto when = Deadline(task->options.timeout->duration()).when();
        ring = due_.empty() || when < due_.begin()->when;
        due_.insert({when, header.id});
    }
    if (ring) bell_.ring();
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
    const auto death = [&] { return worker::death_of(exitcode, report, options_.memory); };
    if (member.note->stage == Note::starting) {
        // Some may be killed by somebody; so many, one after the other, mean that none will ever be ready.
        const int enough = exitcode == -SIGKILL ? 100 : 3;
        int times = 0;
        {
            const std::lock_guard guard(mutex_);
            times = ++died_unready_;
            if (closed_ && unfinished_ == 0) return;
        }
        if (times < enough) return;
        const auto died = death();
        return break_down(std::to_string(times) + " workers of the pool, one after the other, died before they were ready" +
                          (options_.initializer ? ", in its initializer" : "") + ": " + died.what + (died.stack.empty() ? "" : "\n" + died.stack));
    }
    const std::uint64_t doing = member.note->doing;
    const std::uint64_t id = doing >> 3;
    const auto step = doing & Note::step_mask;
    if (id == 0 || step == Note::doomed) return;
    if (step != Note::taking) return lose(id, death());
    const std::uint32_t item = member.note->item;
    if (static_cast<std::int32_t>(channel::taken_from(*tasks_) - item) < 0) return;  // it is still in the queue
    const std::lock_guard guard(mutex_);
    const bool taken_by_another = std::any_of(members_.begin(), members_.end(), [&](const auto& each) { return each.second.note->item == item; });
    // Another may have taken it and be done with it already: then its answer is in the queue before what is said now.
    if (!taken_by_another) say({id, number, AnswerHeader::look_again});
}

// A task that went with a worker which had not begun it.
void ProcessCrew::heed_lost(std::uint64_t id) {
    TaskPointer task;
    {
        const std::lock_guard guard(mutex_);
        task = remove(id);
        if (task) task->is_encoding = true;
    }
    if (task) give_out_again(task);
}

void ProcessCrew::lose(std::uint64_t id, const worker::Death& death) {
    TaskPointer task;
    bool again = false;
    {
        const std::lock_guard guard(mutex_);
        task = remove(id);
        if (!task) return;
        again = task->deaths++ < task->options.retries && !broken_;
        task->is_encoding = again;
        std::erase_if(due_, [&](const Due& due) { return due.id == id; });
    }
    if (again) return give_out_again(task);
    const std::string function = task->function_name();
    task->drop_call();
    const std::string attempts = task->deaths > 1 ? ", for the " + std::to_string(task->deaths) + ". time" : "";
    task->future().set_error(std::make_exception_ptr(
        WorkerDied("task " + std::to_string(task->number) + (function.empty() ? "" : " (" + function + ")") + ": its worker was " + death.what + attempts,
                   death.exitcode, death.stack)));
}

// ---- the crew's thread -----------------------------------------------------------------------------

void ProcessCrew::supervise() noexcept {
    try {
        while (!is_over()) {
            bool answers = false;
            for (const auto tag : ready_.wait(next_due())) {
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
            }
            end_what_is_late();
            start_missing();
            send_home();
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "chorus: a pool's thread: %s\n", error.what());
        break_down(error.what());
    }
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

Deadline ProcessCrew::next_due() const {
    const std::lock_guard guard(mutex_);
    return due_.empty() ? Deadline() : Deadline(due_.begin()->when);
}

void ProcessCrew::end_what_is_late() {
    for (;;) {
        TaskPointer task;
        bool again = false;
        {
            const std::lock_guard guard(mutex_);
            if (due_.empty() || due_.begin()->when > Deadline::Clock::now()) return;
            const std::uint64_t id = due_.begin()->id;
            due_.erase(due_.begin());
            if (!find(id)) continue;
            const bool ended = std::any_of(members_.begin(), members_.end(), [&](auto& each) {
                std::uint64_t seen = Note::with(id, Note::running);
                if (!each.second.note->doing.compare_exchange_strong(seen, Note::with(id, Note::doomed))) return false;
                worker::send_signal(each.second.process, SIGKILL);
                return true;
            });
            if (!ended) continue;  // it has answered at this very moment, or its worker has died
            task = remove(id);
            again = task->late++ < task->options.timeout_retries;
            task->is_encoding = again;
        }
        if (again) {
            give_out_again(task);
            continue;
        }
        const std::string function = task->function_name();
        task->drop_call();
        task->future().set_error(std::make_exception_ptr(TimedOut("task " + std::to_string(task->number) + (function.empty() ? "" : " (" + function + ")") +
                                                                  " took longer than its timeout of " +
                                                                  std::to_string(task->options.timeout->duration().count()) + " s, and its worker was ended")));
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
    WorkerKit kit{tasks_, answers_, member.note, member.number, options_.max_tasks_per_child, options_.memory, signals_};
    const std::string name = options_.name.empty() ? "" : options_.name + "-" + std::to_string(member.number);
    member.process = worker::make_process_state(name, false, make_worker_call(std::move(kit), options_.initializer), "PoolWorker", std::nullopt);
    member.process->report = worker::make_report();
    member.process->dies_with_parent = true;
    worker::start(member.process);
    const std::lock_guard guard(mutex_);
    ready_.add(member.process->process->get(), first_member_tag + member.number);
    if (broken_) worker::send_signal(member.process, SIGKILL);
    members_.emplace(member.number, std::move(member));
}

void ProcessCrew::send_home() {
    const std::lock_guard guard(mutex_);
    if (!closed_ || unfinished_ > 0 || sent_home_) return;
    sent_home_ = true;
    channel::shut_down(*tasks_, false);
}

bool ProcessCrew::is_over() const {
    const std::lock_guard guard(mutex_);
    return closed_ && unfinished_ == 0 && members_.empty();
}

// ---- ending ----------------------------------------------------------------------------------------

void ProcessCrew::resize(std::size_t workers) {
    if (workers == 0) throw UsageError("a pool needs one worker or more, asked for 0");
    {
        const std::lock_guard guard(mutex_);
        require_open();
        wanted_ = workers;
    }
    bell_.ring();
}

void ProcessCrew::close() noexcept {
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
    std::vector<TaskPointer> waiting;
    {
        const std::lock_guard guard(mutex_);
        if (!begun_) return;
        for (const auto& slot : slots_) {
            if (slot.task && take_back(*slot.task)) waiting.push_back(slot.task);
        }
    }
    for (const auto& task : waiting) task->future().cancel();
}

void ProcessCrew::terminate() noexcept {
    if (is_a_copy()) return;
    {
        const std::lock_guard guard(mutex_);
        closed_ = true;
        if (!begun_) return;
        sent_home_ = true;
        channel::shut_down(*tasks_, true);
        for (auto& [number, member] : members_) {
            if (member.note->stage == Note::starting) member.note->stage = Note::leaving;
            worker::send_signal(member.process, SIGKILL);
        }
    }
    fail_all(nullptr);
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
    const std::lock_guard guard(mutex_);
    std::vector<int> pids;
    for (const auto& [number, member] : members_) pids.push_back(member.process->pid);
    return pids;
}

}  // namespace

std::shared_ptr<Crew> make_process_crew(CrewOptions options) {
    if (options.workers == 0) options.workers = static_cast<std::size_t>(platform::usable_cpus());
    return std::make_shared<ProcessCrew>(std::move(options));
}

}  // namespace chorus::pool
