// Where an object lies: one algorithm serves threads and processes, only the memory differs.
//
// Threads: a constant.
// Death: nothing is held.
#pragma once

#include <cstdint>

namespace chorus::memory {

/// With the threads of one process, or where several processes see it.
enum class Home : std::uint32_t { thread, process };

}  // namespace chorus::memory
