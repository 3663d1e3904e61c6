#include "pool/process_worker.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include <chorus/detail/message/outcome.hpp>
#include "memory/damage.hpp"
#include "memory/region.hpp"
#include "platform/crash.hpp"
#include "platform/process_exit.hpp"
#include "platform/resource_limits.hpp"
#include "platform/signal_mask.hpp"
#include "platform/signals.hpp"
#include "platform/surroundings.hpp"
#include "pool/task_trace.hpp"
#include "pool/wire.hpp"
#include "sync/liveness.hpp"

namespace chorus::inline v0::detail::pool {
namespace {

// The answer to one task.
class Answer {
public:
    Answer(const WorkerKit& kit, std::vector<std::byte>& memory)
        : message_(kit.answers, memory, &kit.status->at_queue) {}

    void run(message::Call& call) {
        struct Errand {
            message::Call& call;
            message::Writer& out;
        } errand{call, message_.out()};
        message_.out().keep_attachments();  // the value they lead to is destroyed before they are sent
        message_.out().write_raw(message::Ending::value);
        platform::watch_exceptions(
            [](void* context) {
                auto& here = *static_cast<Errand*>(context);
                here.call.invoke(&here.out);
            },
            &errand);
    }

    // Replaces what was written.
    void say(std::exception_ptr thrown) {
        message::Writer exception;
        message::write_exception(exception, std::move(thrown));
        message_.clear();
        const auto bytes = exception.buffered();
        message_.out().write(bytes.data(), bytes.size());
    }

    void put(const AnswerHeader& header) { message_.put(header); }

private:
    AnswerMessage message_;
};

// The signal tells the pool to treat this worker as crashed, which it may be about to be.
[[noreturn]] void end_as_crashed(const Error& damage) {
    std::fprintf(stderr, "chorus: a worker of a pool ends itself: %s\n", damage.what());
    std::abort();
}

class Worker {
public:
    explicit Worker(WorkerKit kit) : kit_(std::move(kit)) {}

    void run(message::Call* initializer) {
        // SIGINT is for the pool's process, and so is a SIGTERM that it handles, as it may drain the
        // pool. This comes first, since a signal may be pending already.
        platform::ignore_interrupts();
        if (kit_.leaves_terminations) platform::ignore_terminations();
        platform::set_signal_mask(kit_.signals);
        if (kit_.standard_error) {
            platform::take_standard_error(kit_.standard_error->get());
            kit_.standard_error->reset();
        }
        if (kit_.memory != 0) platform::limit_memory(kit_.memory);
        if (initializer != nullptr && !initialise(*initializer)) return;
        memory::keep_places();
        try {
            say({0, kit_.number, AnswerHeader::ready});
            for (std::uint64_t done = 0; kit_.max_tasks == 0 || done < kit_.max_tasks;) {
                if (serve_one()) ++done;
            }
        } catch (const ShutDown&) {
        } catch (const Damaged& damage) {
            end_as_crashed(damage);
        }
    }

private:
    void say(AnswerHeader header) { post_header(kit_.answers, header); }

    bool initialise(message::Call& initializer) {
        Answer answer(kit_, memory_);
        try {
            answer.run(initializer);
            return true;
        } catch (const SystemExit&) {
            throw;
        } catch (const std::bad_alloc&) {
            say_out_of_memory(answer, "the initializer", kit_.memory);
        } catch (...) {
            answer.say(std::current_exception());
        }
        answer.put({0, kit_.number, AnswerHeader::not_initialised});
        return false;
    }

    // Memory that held the arguments of the last tasks stays mapped while there is work, for the next
    // ones.
    void get_next(std::optional<channel::Getting>& next) {
        constexpr auto soon = std::chrono::milliseconds(10);
        if (places_kept_) {
            memory::forget_older_places();
            next.emplace(*kit_.tasks, soon);
            if (next->begun()) return;
            memory::forget_places();
            places_kept_ = false;
        }
        next.emplace(*kit_.tasks, Deadline());
    }

    // Returns false for a retracted task. Throws: ShutDown when there will be no more.
    bool serve_one() {
        std::optional<channel::Getting> next;
        get_next(next);
        auto& getting = *next;
        const auto header = read_header<TaskHeader>(getting.bytes());
        const bool retracted = getting.is_retracted();
        if (!retracted) {
            kit_.status->item = getting.number();
            begin_to_take(header.id);
        }
        auto attachments = getting.attachments();
        if (getting.is_long()) {
            getting.commit();
            const channel::TakenBlock block(kit_.tasks, getting.block());
            if (!retracted) run_task(header, getting.bytes().subspan(sizeof header), attachments);
        } else {
            task_.assign(getting.bytes().begin() + sizeof header, getting.bytes().end());
            getting.commit();
            if (!retracted) run_task(header, task_, attachments);
        }
        return !retracted;
    }

    // For external observers: see sync::Participant.
    void show_as_busy(bool busy) { life_.tasks.store(2 * done_ + (busy ? 1 : 0), std::memory_order_relaxed); }

    void run_task(const TaskHeader& header, std::span<const std::byte> bytes,
                  message::Attachments& attachments) {
        if (header.id == 0) throw ShutDown("the pool has more workers than it wants");
        step(header.id, WorkerStatus::taking, WorkerStatus::running);
        show_as_busy(true);
        if ((header.flags & TaskHeader::tell_when_begun) != 0)
            say({header.id, kit_.number, AnswerHeader::begun});
        Answer answer(kit_, memory_);
        message::Reader in(bytes, &attachments);
        const auto limits =
            (header.flags & TaskHeader::has_limits) != 0 ? in.read_raw<TaskLimits>() : TaskLimits{};
        trace::Span span;
        if ((header.flags & TaskHeader::is_traced) != 0) begin_trace(header, in, span);
        const std::uint64_t memory = limits.memory != 0 ? limits.memory : kit_.memory;
        bool limit_moved = limits.memory != 0;
        if (limit_moved) platform::limit_memory(memory);
        if (limits.cpu_time != 0) platform::limit_cpu_time(std::chrono::nanoseconds(limits.cpu_time));
        try {
            places_kept_ = places_kept_ || !attachments.empty();
            message::WrittenCall call(in);
            answer.run(call);
        } catch (const std::bad_alloc&) {
            limit_moved = say_out_of_memory(answer, "the task", memory);
        } catch (...) {
            answer.say(std::current_exception());
        }
        if (limits.cpu_time != 0) platform::lift_cpu_time_limit();
        if (limit_moved)
            kit_.memory == 0 ? platform::lift_memory_limit() : platform::limit_memory(kit_.memory);
        span.end();
        step(header.id, WorkerStatus::running, WorkerStatus::answered);
        ++done_;
        show_as_busy(false);
        try {
            answer.put({header.id, kit_.number, AnswerHeader::outcome});
        } catch (...) {  // no memory for a long one, or too many descriptors
            answer.say(std::current_exception());
            answer.put({header.id, kit_.number, AnswerHeader::outcome});
        }
    }

    static void begin_trace(const TaskHeader& header, message::Reader& in, trace::Span& span) {
        const auto arrow = in.read_raw<std::uint64_t>();
        trace_beginning(span, in.read_text(), header.flags >> TaskHeader::bits_of_flags, arrow);
    }

    // In a catch clause. Returns whether there was a limit; it is lifted so that the answer can be
    // sent.
    static bool say_out_of_memory(Answer& answer, const char* who, std::uint64_t limit) {
        if (limit == 0) {
            answer.say(std::current_exception());
            return false;
        }
        platform::lift_memory_limit();
        answer.say(
            std::make_exception_ptr(OutOfMemory(std::string(who) + " needed more than the " +
                                                std::to_string(limit) + " bytes that .memory allows it")));
        return true;
    }

    void begin_to_take(std::uint64_t id) { move(doing_, WorkerStatus::with(id, WorkerStatus::taking)); }
    void step(std::uint64_t id, WorkerStatus::Step from, WorkerStatus::Step to) {
        move(WorkerStatus::with(id, from), WorkerStatus::with(id, to));
    }
    void move(std::uint64_t from, std::uint64_t to) {
        std::uint64_t seen = from;
        doing_ = to;
        if (kit_.status->doing.compare_exchange_strong(seen, to)) return;
        const auto step = WorkerStatus::step_of(seen);
        if (WorkerStatus::task_of(seen) == WorkerStatus::task_of(from) &&
            (step == WorkerStatus::doomed || step == WorkerStatus::recalled))
            platform::kill_this_process();
        memory::throw_damaged("a pool's note of what this worker does",
                              "it does " + std::to_string(seen) + ", and not " + std::to_string(from));
    }

    WorkerKit kit_;
    sync::Participant& life_ = sync::own_participant();
    std::uint64_t done_ = 0;   ///< tasks
    std::uint64_t doing_ = 0;  ///< the status word as this worker wrote it last
    bool places_kept_ = false;
    std::vector<std::byte> task_;
    std::vector<std::byte> memory_;
};

void enter_worker(message::Reader& call, message::Writer*) {
    WorkerKit kit;
    try {
        kit.tasks = channel::read_queue(call, typeid(TaskItem), traced_tasks);
        kit.answers = channel::read_queue(call, typeid(AnswerItem), traced_answers);
    } catch (const OsError&) {
        throw;
    } catch (const Error& damage) {  // the queues' types were overwritten
        end_as_crashed(damage);
    }
    kit.status = memory::object_at<WorkerStatus>(memory::read_place(call, sizeof(WorkerStatus)));
    kit.number = call.read_raw<std::uint32_t>();
    kit.max_tasks = call.read_raw<std::uint64_t>();
    kit.memory = call.read_raw<std::uint64_t>();
    kit.signals = call.read_raw<platform::SignalMask>();
    kit.leaves_terminations = call.read_raw<bool>();
    if (call.read_raw<bool>()) {
        const auto number = call.read_raw<std::uint32_t>();
        kit.standard_error = std::make_shared<platform::FileDescriptor>(call.attachments()->take(number));
    }
    std::unique_ptr<message::Call> initializer;
    if (call.read_raw<bool>()) initializer = std::make_unique<message::WrittenCall>(call);
    Worker(std::move(kit)).run(initializer.get());
}

class WorkerCall final : public message::Call {
public:
    WorkerCall(WorkerKit kit, std::shared_ptr<message::Call> initializer)
        : kit_(std::move(kit)), initializer_(std::move(initializer)) {}

    void invoke(message::Writer*) override { Worker(kit_).run(initializer_.get()); }
    void encode(message::Writer& out) const override {
        message::write_function(out, reinterpret_cast<const void*>(&enter_worker));
        channel::write_queue(out, kit_.tasks);
        channel::write_queue(out, kit_.answers);
        memory::write_place(out, memory::place_of(kit_.status));
        out.write_raw(kit_.number);
        out.write_raw(kit_.max_tasks);
        out.write_raw(kit_.memory);
        out.write_raw(kit_.signals);
        out.write_raw(kit_.leaves_terminations);
        out.write_raw(kit_.standard_error != nullptr);
        if (kit_.standard_error) {
            const int descriptor = kit_.standard_error->get();
            out.write_raw(
                static_cast<std::uint32_t>(out.attach(descriptor, static_cast<std::uint64_t>(descriptor))));
        }
        out.write_raw(initializer_ != nullptr);
        if (initializer_) initializer_->encode(out);
    }
    std::string function_name() const override { return ""; }

private:
    WorkerKit kit_;
    std::shared_ptr<message::Call> initializer_;
};

}  // namespace

std::unique_ptr<message::Call> make_worker_call(WorkerKit kit, std::shared_ptr<message::Call> initializer) {
    return std::make_unique<WorkerCall>(std::move(kit), std::move(initializer));
}

}  // namespace chorus::inline v0::detail::pool
