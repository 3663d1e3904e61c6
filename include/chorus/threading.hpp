// The names of Python's threading, for threads of this process.
#pragma once

#include <chorus/version.hpp>

#include <mutex>   // std::scoped_lock
#include <thread>  // std::this_thread: to sleep for a while

#include <chorus/barrier.hpp>
#include <chorus/condition.hpp>
#include <chorus/deadline.hpp>
#include <chorus/errors.hpp>
#include <chorus/event.hpp>
#include <chorus/lock.hpp>
#include <chorus/pool.hpp>
#include <chorus/print.hpp>
#include <chorus/semaphore.hpp>
#include <chorus/stop_token.hpp>
#include <chorus/task_group.hpp>
#include <chorus/thread.hpp>
#include <chorus/thread_queue.hpp>
#include <chorus/value.hpp>

namespace chorus::inline v0 {
/// What threads are and have: the names of Python's threading and queue, and pools of threads.
namespace threading {}
namespace mt = threading;
}  // namespace chorus::inline v0
