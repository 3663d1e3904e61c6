#include "pool/worker_starter.hpp"

#include <csignal>
#include <exception>
#include <new>
#include <utility>

#include "memory/region.hpp"
#include "platform/signals.hpp"
#include "pool/process_worker.hpp"
#include "worker/report.hpp"

namespace chorus::inline v0::detail::pool {
namespace {

// A worker that is not started yet, which will use these channels. Throws: OsError.
WorkerEntry make_worker(const BackendOptions& options, std::uint32_t number, ChannelsPointer channels,
                        const platform::SignalMask& signals) {
    WorkerEntry entry;
    entry.number = number;
    entry.status = std::shared_ptr<WorkerStatus>(
        memory::object_at<WorkerStatus>(memory::allocate(sizeof(WorkerStatus))));
    new (entry.status.get()) WorkerStatus;
    entry.channels = std::move(channels);
    WorkerKit kit{entry.channels->tasks,
                  entry.channels->answers,
                  entry.status,
                  number,
                  options.max_tasks_per_child,
                  options.memory,
                  signals,
                  platform::handles_terminations(),
                  nullptr};
    if (options.last_lines != 0) {
        try {
            auto pipe = platform::make_pipe();
            entry.standard_error = StderrRelay::pass_on(std::move(pipe.first));
            kit.standard_error = std::make_shared<platform::FileDescriptor>(std::move(pipe.second));
        } catch (const OsError&) {  // too many open files: the worker writes to the program's own
            entry.standard_error = nullptr;
        }
    }
    const std::string name = options.name.empty() ? "" : options.name + "-" + std::to_string(number);
    entry.process =
        worker::make_process_state(name, false, make_worker_call(std::move(kit), options.initializer),
                                   "PoolWorker", options.start_method);
    entry.process->report = worker::make_report();
    entry.process->dies_with_parent = true;
    return entry;
}

}  // namespace

void WorkerStarter::start_missing(const platform::SignalMask& signals) {
    for (;;) {
        {
            const std::lock_guard guard(state_.mutex);
            if (!state_.needs_worker()) return;
        }
        try {
            start_one(signals);
        } catch (const std::exception& error) {
            bool none = false;
            {
                const std::lock_guard guard(state_.mutex);
                none = state_.workers.size() == 0;
            }
            if (none) state_.break_down(std::string("the pool can start no worker: ") + error.what());
            return;  // the other workers go on; tried again when one of them has ended
        }
    }
}

void WorkerStarter::start_one(const platform::SignalMask& signals) {
    std::uint32_t number = 0;
    {
        const std::lock_guard guard(state_.mutex);
        number = state_.workers.new_number();
    }
    auto entry = make_worker(state_.options, number, channels_.current(), signals);
    const auto process = entry.process;
    {
        const std::lock_guard guard(state_.mutex);
        if (!state_.options.timeout.is_never()) {
            state_.watchdog.start();
            state_.add_deadline(Deadlines::start_of_worker | number, state_.options.timeout);
        }
        state_.workers.add(std::move(entry));
    }
    try {
        worker::start(process);
    } catch (...) {
        const std::lock_guard guard(state_.mutex);
        state_.workers.remove(number);
        throw;
    }
    try {
        const std::lock_guard guard(state_.mutex);
        WorkerEntry& started = *state_.workers.find(number);
        started.is_started = true;
        if (started.is_killed || state_.broken || state_.is_left) started.kill();
        state_.ready.add(process->process->get(), PoolState::first_worker_tag + number);
    } catch (...) {  // the kernel would not report its end
        worker::send_signal(process, SIGKILL);
        worker::join(process, {});
        channels_.post(channels_.current(), {0, number, AnswerHeader::died});
        throw;
    }
}

}  // namespace chorus::inline v0::detail::pool
