// What a worker process of a pool does from its first step to its last.
#pragma once

#include <cstdint>
#include <memory>

#include <chorus/channel/queue_access.hpp>
#include <chorus/message/callable.hpp>
#include <chorus/platform/os_process.hpp>
#include <chorus/pool/internal/note.hpp>

namespace chorus::pool {

/// What it is given.
struct WorkerKit {
    channel::QueuePointer tasks;
    channel::QueuePointer answers;
    std::shared_ptr<Note> note;
    std::uint32_t number = 0;
    std::uint64_t max_tasks = 0;
    std::uint64_t memory = 0;                                  ///< bytes that it may allocate; 0: no limit
    platform::SignalMask signals{};                            ///< the program's; a worker is started by a thread that blocks them all
    std::shared_ptr<platform::FileDescriptor> standard_error;  ///< a pipe to write to; null: the worker keeps the program's own
};

/// The call that a worker process is started with.
std::unique_ptr<message::Call> make_worker_call(WorkerKit kit, std::shared_ptr<message::Call> initializer);

/// A message of these parts. May be called by several threads at once.
std::uint32_t post(const channel::QueuePointer& queue, std::span<const std::byte> first, std::span<const std::byte> second = {},
                   std::span<const message::Attachment> attachments = {});

/// Types of the two queues' items, by which their handles know each other.
struct TaskItem {};
struct AnswerItem {};

}  // namespace chorus::pool
