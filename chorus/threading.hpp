// The names of Python's threading, for threads of this process.
#pragma once

#include <chorus/requirements.hpp>

#include <mutex>   // std::scoped_lock
#include <thread>  // std::this_thread: to sleep for a while

#include <chorus/channel/thread_queue.hpp>
#include <chorus/deadline.hpp>
#include <chorus/errors.hpp>
#include <chorus/memory/raw_value.hpp>
#include <chorus/pool/pool.hpp>
#include <chorus/pool/task_group.hpp>
#include <chorus/sync/barrier.hpp>
#include <chorus/sync/condition.hpp>
#include <chorus/sync/event.hpp>
#include <chorus/sync/lock.hpp>
#include <chorus/sync/semaphore.hpp>
#include <chorus/sync/stop_token.hpp>
#include <chorus/sync/value.hpp>
#include <chorus/worker/local.hpp>
#include <chorus/worker/print.hpp>
#include <chorus/worker/thread.hpp>
#include <chorus/worker/timer.hpp>

namespace chorus {
/// What threads are and have: the names of Python's threading and queue, and pools of threads.
namespace threading {}
namespace mt = threading;
}  // namespace chorus
