// Worker process: what a pool's worker process runs, from its first step to its last.
//
// Thread safety: one thread.
// Crash safety: the worker publishes each step in its status word before it takes the step
// (worker_status.hpp).
#pragma once

#include <cstdint>
#include <memory>

#include <chorus/detail/channel/queue_access.hpp>
#include <chorus/detail/message/callable.hpp>
#include "platform/file_descriptor.hpp"
#include "platform/signal_mask.hpp"
#include "pool/worker_status.hpp"

namespace chorus::inline v0::detail::pool {

/// What a worker process receives at its start.
struct WorkerKit {
    channel::QueuePointer tasks;
    channel::QueuePointer answers;
    std::shared_ptr<WorkerStatus> status;
    std::uint32_t number = 0;
    std::uint64_t max_tasks = 0;     ///< then it leaves; 0: no limit
    std::uint64_t memory = 0;        ///< bytes that it may allocate; 0: no limit
    platform::SignalMask signals{};  ///< the program's; a worker is started by a thread that blocks them all
    bool leaves_terminations = false;  ///< SIGTERM to the whole group is for the program, which handles it
    std::shared_ptr<platform::FileDescriptor>
        standard_error;  ///< a pipe to write to; null: the worker keeps the program's own
};

/// The call that a worker process is started with.
std::unique_ptr<message::Call> make_worker_call(WorkerKit kit, std::shared_ptr<message::Call> initializer);

}  // namespace chorus::inline v0::detail::pool
