#include "pool/process_backend.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "channel/queue_core.hpp"
#include "platform/os_thread.hpp"
#include "pool/backends.hpp"
#include "pool/task_trace.hpp"
#include "worker/lifetime.hpp"

namespace chorus::inline v0::detail::pool {
namespace {

std::vector<std::byte>& scratch() {
    static thread_local std::vector<std::byte> buffer;
    return buffer;
}

bool has_limits(const TaskOptions& options) noexcept {
    return options.memory != 0 || !options.cpu_time.is_never();
}

TaskHeader header_of(const Task& task) noexcept {
    std::uint64_t flags = TaskHeader::none;
    if (!task.options.timeout.is_never()) flags |= TaskHeader::tell_when_begun;
    if (has_limits(task.options)) flags |= TaskHeader::has_limits;
    if (task.arrow != 0) flags |= TaskHeader::is_traced | task.number << TaskHeader::bits_of_flags;
    return {task.id, flags};
}

// What follows the header.
void write_task(message::Writer& out, const Task& task) {
    if (has_limits(task.options)) {
        TaskLimits limits;
        limits.memory = task.options.memory;
        if (!task.options.cpu_time.is_never())
            limits.cpu_time = std::max<std::int64_t>(1, worker::length_of(task.options.cpu_time).count());
        out.write_raw(limits);
    }
    if (task.arrow != 0) {
        out.write_raw(task.arrow);
        out.write_text(task.function_name());
    }
    task.encode(out);
}

}  // namespace

// ---- tasks go out -------------------------------------------------------------------------------

void ProcessBackend::require_open() const {
    if (is_a_copy())
        throw UsageError("this pool was made by another process: make one here, or submit there");
    if (broken_) throw BrokenPool(*broken_);
    if (closed_)
        throw UsageError(
            "the pool is closed and nothing more can be submitted: submit before close() and shutdown(), or "
            "make another pool");
}

void ProcessBackend::begin() {
    if (begun_) return;
    auto channels = make_channels(1);
    ready_.add(bell_.descriptor(), bell_tag);
    ready_.add(channel::descriptor_of(*channels->answers), answers_tag);
    {
        const std::lock_guard guard(channels_mutex_);
        channels_ = channels;
    }
    generation_ = channels->generation;
    auto self = std::make_unique<std::shared_ptr<ProcessBackend>>(shared_from_this());
    try {
        const platform::SignalsBlocked blocked;  // the program's handlers run in the program's threads
        signals_ = blocked.before();
        platform::start_thread(
            [](void* argument) -> void* {
                platform::name_this_thread("chorus-pool");
                std::unique_ptr<std::shared_ptr<ProcessBackend>> backend(
                    static_cast<std::shared_ptr<ProcessBackend>*>(argument));
                const auto gone = (*backend)->gone_;
                (*backend)->supervise();
                backend.reset();
                gone->tell();
                return nullptr;
            },
            self.get(), 0);
    } catch (const std::exception& error) {  // the next task may find room for one
        ready_.remove(bell_.descriptor());
        ready_.remove(channel::descriptor_of(*channels->answers));
        throw BrokenPool(std::string("the pool can start no thread: ") + error.what());
    }
    self.release();
    begun_ = true;
    sign_.emplace(options_.name.empty() ? "Pool" : options_.name);
    show(PoolCounters::kind, PoolCounters::processes);
    show(PoolCounters::workers, wanted_);
    show(PoolCounters::tasks, channels->tasks->region()->name());
    show(PoolCounters::answers, channels->answers->region()->name());
    finish_at_the_end(shared_from_this());
}

TaskPointer ProcessBackend::remove(std::uint64_t id) {
    auto task = ledger_.remove(id);
    if (!task) return nullptr;
    count_as_waiting(*task, false);
    show(PoolCounters::unfinished, ledger_.size());
    const bool others_may_go = budget_.leave(task);
    if (others_may_go || (closed_ && ledger_.size() == 0)) bell_.ring();
    return task;
}

// For another attempt.
void ProcessBackend::renew(Task& task) {
    ledger_.renew(task);
    task.is_placed = false;
    task.is_encoding = true;
    count_as_waiting(task, true);
}

void ProcessBackend::count_as_waiting(Task& task, bool waits) noexcept {
    if (task.options.timeout.is_never() || task.waits_to_begin == waits) return;
    task.waits_to_begin = waits;
    timed_waiting_ += waits ? 1 : std::size_t(-1);
}

void ProcessBackend::submit(TaskPointer task) {
    if (is_a_copy()) require_open();  // before any lock: a thread that is not here may have it
    worker::expect_not_negative(task->options.timeout);
    worker::expect_not_negative(task->options.cpu_time);
    if (task->options.timeout.is_never()) task->options.timeout = options_.timeout;
    if (task->options.cpu_time.is_never()) task->options.cpu_time = options_.cpu_time;
    // No worker could be started, and this thread's own objects may be destroyed already: one of them is used
    // below.
    if (worker::is_ending())
        throw UsageError("nothing can be submitted to a pool any more: the program is ending");
    if (!begun_) {
        const std::lock_guard guard(mutex_);
        require_open();
        begin();
    }
    if (trace::is_on()) task->arrow = trace::new_arrow();
    const auto channels = this->channels();
    TaskMessage message(channels->tasks, scratch());
    std::exception_ptr error;
    bool elsewhere = false;
    try {
        write_task(message.out(), *task);
    } catch (const ShutDown&) {  // a long one, in channels that were given up meanwhile
        elsewhere = lose_tasks(channels);
        error = std::current_exception();
    } catch (const Damaged& damage) {
        lose_channels(channels, damage.what());
        elsewhere = true;
    } catch (...) {
        error = std::current_exception();
    }
    if (elsewhere) return submit(std::move(task));
    if (!error) return give_out(task, channels, message, true);
    {
        const std::lock_guard guard(mutex_);
        require_open();
        task->number = ++submitted_;
    }
    task->future().set_error(error);
}

// Requires: mutex_. Returns false if let_in() will give it out.
bool ProcessBackend::enter(const TaskPointer& task) {
    require_open();
    if (!task->options.timeout.is_never()) watchdog_.start();
    ledger_.add(task);
    task->number = ++submitted_;
    show(PoolCounters::submitted, submitted_);
    show(PoolCounters::unfinished, ledger_.size());
    if (!task->options.timeout.is_never()) {
        longest_timeout_ = std::max(longest_timeout_, worker::length_of(task->options.timeout));
        if (!watched_) watchdog_.look_again();
    }
    count_as_waiting(*task, true);
    return budget_.enter(task);
}

// Nothing is put under the ledger's lock, for the reason that take_back() gives.
// Throws, the first time: UsageError after close(), BrokenPool, OsError. That it cannot be put is the task's
// error.
void ProcessBackend::give_out(const TaskPointer& task, const ChannelsPointer& channels, TaskMessage& message,
                              bool first_time) {
    TaskHeader header;
    bool ring = false;
    {
        const std::lock_guard guard(mutex_);
        if (first_time) {
            task->bytes = message.size();
            const bool may_go = enter(task);
            if (task->arrow != 0) trace_submission(*task);
            if (!may_go) return;
        }
        if (!ledger_.has(*task)) return;  // it was cancelled meanwhile
        ring = needs_worker();
        header = header_of(*task);
    }
    if (message.is_long() && std::exchange(ring, false))
        bell_.ring();  // if there is no room, who makes some has to be there
    std::exception_ptr error;
    bool elsewhere = false;
    try {
        const auto position = message.put(header);
        bool gone = false;
        {
            const std::lock_guard guard(mutex_);
            gone = ledger_.find(header.id) != task;  // it was cancelled meanwhile, or is done
            if (!gone) {
                task->channels = channels;
                task->generation = channels->generation;
                task->position = position;
                task->is_placed = true;
            }
        }
        if (gone && !channel::retract(*channels->tasks, position)) {
            const std::lock_guard guard(mutex_);
            members_.doom(header.id);
        }
        elsewhere = !gone && !are_today_s(*channels);
    } catch (const ShutDown&) {
        elsewhere = lose_tasks(channels);
        if (!elsewhere) error = std::current_exception();
    } catch (const Damaged& damage) {
        lose_channels(channels, damage.what());
        elsewhere = true;
    } catch (...) {
        error = std::current_exception();
    }
    if (error) {
        const std::lock_guard guard(mutex_);
        remove(header.id);
    }
    if (ring) bell_.ring();
    if (error) return static_cast<void>(task->future().set_error(error));
    if (elsewhere) give_out_elsewhere(task, header.id);
}

// Of a task that was given out through channels that are not those of today. One that a worker has taken is
// answered all the same.
void ProcessBackend::give_out_elsewhere(const TaskPointer& task, std::uint64_t id) {
    ChannelsPointer given_through;
    bool is_placed = false;
    {
        const std::lock_guard guard(mutex_);
        if (ledger_.find(id) != task) return;
        is_placed = task->is_placed;
        given_through = task->channels.lock();
    }
    const bool is_lost = is_placed && (!given_through || given_through->is_lost);
    if (is_placed && !is_lost && !take_back(*task, id)) {
        // A worker has taken it, and may have crashed before the task was known to be placed.
        {
            const std::lock_guard guard(mutex_);
            to_search_.push_back(given_through);
        }
        bell_.ring();
        return;
    }
    {
        const std::lock_guard guard(mutex_);
        if (ledger_.find(id) != task) return;  // somebody else has done it, or it was cancelled
        if (is_lost) {
            remove(id);
        } else {
            renew(*task);
        }
    }
    if (!is_lost) return give_out_again(task);
    task->future().set_error(
        std::make_exception_ptr(Damaged("the pool's channels were damaged, and this task was lost "
                                        "with them")));
    task->drop_call();
}

void ProcessBackend::give_out_again(const TaskPointer& task) {
    try {
        for (;;) {
            const auto channels = this->channels();
            try {
                std::vector<std::byte> memory;
                TaskMessage message(channels->tasks, memory);
                write_task(message.out(), *task);
                task->future().set_pending();
                give_out(task, channels, message, false);
                break;
            } catch (const ShutDown&) {
                if (!lose_tasks(channels)) throw;
            } catch (const Damaged& damage) {
                lose_channels(channels, damage.what());
            }
        }
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

// Requires: not mutex_, as the queue's own lock may be with a worker that somebody has stopped: only the
// clock can end that one, and needs mutex_. Returns whether no worker will begin the task. One that has run
// for so long that its position means another message by now is begun.
bool ProcessBackend::take_back(const Task& task, std::uint64_t id) noexcept {
    std::uint32_t position = 0;
    ChannelsPointer given_through;
    {
        const std::lock_guard guard(mutex_);
        if (!task.is_placed || members_.have_begun(id)) return false;
        position = task.position;
        given_through = task.channels.lock();
    }
    if (!given_through) return false;
    try {
        return channel::retract(*given_through->tasks, position);
    } catch (const Damaged& damage) {
        lose_channels(given_through, damage.what());
    } catch (const std::exception&) {  // it cannot be looked at: whoever has it has it
    }
    return false;
}

void ProcessBackend::cancelled(Task& task) noexcept {
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
        members_.doom(id);
    }
    {
        const std::lock_guard guard(mutex_);
        if (task.is_encoding) return;  // who gives it out again sees that it is done
    }
    task.drop_call();
}

bool ProcessBackend::has_begun(const Task& task) const noexcept {
    if (is_a_copy()) return false;
    const std::lock_guard guard(mutex_);
    return members_.have_begun(task.id);
}

// Requires: mutex_. Who ends the workers takes the tasks first: else a death could be heard before, and be
// what became of a task.
std::vector<TaskPointer> ProcessBackend::take_all() {
    auto all = ledger_.all();
    for (const auto& task : all) remove(task->id);
    return all;
}

void ProcessBackend::break_down(const std::string& why) {
    std::vector<TaskPointer> all;
    {
        const std::lock_guard guard(mutex_);
        if (broken_) return;
        broken_ = why;
        closed_ = true;
        all = take_all();
        members_.for_each([](WorkerEntry& member) { member.kill(); });
    }
    for (const auto& task : all) task->future().set_error(std::make_exception_ptr(BrokenPool(why)));
    bell_.ring();
}

// ---- ending -------------------------------------------------------------------------------------

void ProcessBackend::resize(std::size_t workers) {
    if (workers == 0) throw UsageError("a pool needs one worker or more, asked for 0");
    if (is_a_copy()) require_open();
    std::size_t too_many = 0;
    {
        const std::lock_guard guard(mutex_);
        require_open();
        wanted_ = workers;
        show(PoolCounters::workers, wanted_);
        if (members_.size() > wanted_) too_many = members_.size() - wanted_;
    }
    // As many shall leave when they come to it. If one dies before, another may leave for it, and will be
    // replaced.
    for (; too_many > 0; --too_many) post_header(channels()->tasks, TaskHeader{});
    bell_.ring();
}

void ProcessBackend::close() noexcept {
    if (is_a_copy()) return;
    {
        const std::lock_guard guard(mutex_);
        closed_ = true;
    }
    bell_.ring();
}

bool ProcessBackend::join(Deadline deadline) {
    if (is_a_copy()) return true;
    if (leads_here())
        throw UsageError(
            "a pool cannot be joined from a callback of its own futures: it would wait for itself");
    {
        const std::lock_guard guard(mutex_);
        if (!closed_) throw UsageError("the pool is still open: close() it before join()");
        if (!begun_) return true;
    }
    trace::Wait wait("Pool.join");
    wait.begins();
    return gone_->wait(deadline);
}

void ProcessBackend::cancel_waiting() noexcept {
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

void ProcessBackend::terminate() noexcept {
    if (is_a_copy()) return;
    std::vector<TaskPointer> all;
    {
        const std::lock_guard guard(mutex_);
        closed_ = true;
        if (!begun_) return;
        all = take_all();
        sent_sharing_ = true;
        members_.for_each([](WorkerEntry& member) {
            member.is_ready = true;  // one that dies now says nothing of the others
            member.kill();
        });
    }
    channel::give_up(*channels()->tasks);
    for (const auto& task : all) task->future().cancel();
    bell_.ring();
}

// Nobody hears any more how tasks and workers end. The tasks are left as they are: an error would only let
// other threads go on, with the program's end under way.
void ProcessBackend::leave_workers() noexcept {
    {
        const std::lock_guard guard(mutex_);
        closed_ = true;
        is_left_ = true;
        members_.for_each([](WorkerEntry& member) { member.kill(); });
    }
    gone_->tell();
}

bool ProcessBackend::finish(bool cancel_what_waits) noexcept {
    if (is_a_copy()) return false;
    close();
    if (cancel_what_waits) cancel_waiting();
    const bool ends_itself = leads_here();  // in a callback, of which nobody else can wait
    {
        const std::lock_guard guard(mutex_);
        if (!begun_ || ends_itself) return false;
    }
    if (gone_->wait(now)) return false;
    trace::Wait wait("Pool.join");
    wait.begins();
    gone_->wait({});
    return true;
}

std::vector<int> ProcessBackend::worker_pids() const {
    if (is_a_copy()) return {};
    const std::lock_guard guard(mutex_);
    return members_.pids();
}

std::shared_ptr<Backend> make_process_backend(BackendOptions options) {
    worker::expect_not_negative(options.timeout);
    worker::expect_not_negative(options.cpu_time);
    if (options.workers == 0) options.workers = static_cast<std::size_t>(platform::usable_cpus());
    return std::make_shared<ProcessBackend>(std::move(options));
}

}  // namespace chorus::inline v0::detail::pool
