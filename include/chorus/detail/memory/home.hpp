// Where an object lies: one algorithm serves threads and processes, only the memory differs.
//
// Threads: a constant.
// Death: nothing is held.
#pragma once

#include <cstdint>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::memory {

/// With the threads of one process, or where several processes see it.
enum class Home : std::uint32_t { thread, process };

}  // namespace chorus::memory

#pragma GCC visibility pop
