// What the exported counters of a pool mean (sync/exported_counters.hpp), by their numbers.
#pragma once

#include <cstddef>

namespace chorus::inline v0::detail::pool {

struct PoolCounters {
    enum Number : std::size_t {
        kind,
        workers,     ///< that it wants
        submitted,   ///< tasks
        unfinished,  ///< of them
        tasks,       ///< names of the regions of its queues; 0: none
        answers,
    };
    enum Kind : std::size_t { processes = 1, threads = 2 };
};

}  // namespace chorus::inline v0::detail::pool
