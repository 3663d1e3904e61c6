// Between whom an object is shared: one algorithm serves threads and processes, only the memory differs.
//
// Thread safety: a constant.
#pragma once

#include <chorus/detail/contract.hpp>

#include <cstdint>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::detail {

/// Between the threads of one process, or between processes that map the same memory.
enum class Sharing : std::uint32_t { threads, processes };

}  // namespace chorus::inline v0::detail

#pragma GCC visibility pop
