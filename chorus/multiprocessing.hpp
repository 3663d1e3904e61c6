// The names of Python's multiprocessing, for processes.
#pragma once

#include <chorus/requirements.hpp>

#include <mutex>   // std::scoped_lock
#include <thread>  // std::this_thread: to sleep for a while

#include <chorus/channel/pipe.hpp>
#include <chorus/channel/queue.hpp>
#include <chorus/channel/wait.hpp>
#include <chorus/deadline.hpp>
#include <chorus/errors.hpp>
#include <chorus/memory/shareable_list.hpp>
#include <chorus/memory/shared_memory.hpp>

#include <chorus/memory/raw_value.hpp>
#include <chorus/message/file_descriptor.hpp>
#include <chorus/pool/context.hpp>
#include <chorus/pool/pool.hpp>
#include <chorus/pool/task_group.hpp>
#include <chorus/sync/barrier.hpp>
#include <chorus/sync/condition.hpp>
#include <chorus/sync/event.hpp>
#include <chorus/sync/lock.hpp>
#include <chorus/sync/semaphore.hpp>
#include <chorus/sync/stop_token.hpp>
#include <chorus/sync/value.hpp>
#include <chorus/worker/call.hpp>
#include <chorus/worker/print.hpp>
#include <chorus/worker/process.hpp>

/// Python's multiprocessing and threading, for C++20.
namespace chorus {
/// What processes are and have: the names of Python's multiprocessing, and calls in a process of their own.
namespace multiprocessing {}
namespace mp = multiprocessing;
}  // namespace chorus
