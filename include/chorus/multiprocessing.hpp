// The names of Python's multiprocessing, for processes.
#pragma once

#include <chorus/version.hpp>

#include <mutex>   // std::scoped_lock
#include <thread>  // std::this_thread: to sleep for a while

#include <chorus/deadline.hpp>
#include <chorus/errors.hpp>
#include <chorus/pipe.hpp>
#include <chorus/queue.hpp>
#include <chorus/shareable_list.hpp>
#include <chorus/shared_memory.hpp>
#include <chorus/wait.hpp>

#include <chorus/barrier.hpp>
#include <chorus/condition.hpp>
#include <chorus/context.hpp>
#include <chorus/event.hpp>
#include <chorus/file_descriptor.hpp>
#include <chorus/lock.hpp>
#include <chorus/pool.hpp>
#include <chorus/print.hpp>
#include <chorus/process.hpp>
#include <chorus/run.hpp>
#include <chorus/semaphore.hpp>
#include <chorus/stop_token.hpp>
#include <chorus/task_group.hpp>
#include <chorus/value.hpp>

/// Python's multiprocessing and threading, for C++20.
namespace chorus::inline v0 {
/// What processes are and have: the names of Python's multiprocessing, and calls in a process of their own.
namespace multiprocessing {}
namespace mp = multiprocessing;
}  // namespace chorus::inline v0
