// The names of Python's multiprocessing, for processes.
#pragma once

#include <thread>  // std::this_thread: to sleep for a while

#include <chorus/deadline.hpp>
#include <chorus/errors.hpp>
#include <chorus/worker/call.hpp>
#include <chorus/worker/context.hpp>
#include <chorus/worker/print.hpp>
#include <chorus/worker/process.hpp>

namespace chorus {
namespace mp = multiprocessing;
}
