// What a pool tells who looks at its program from outside: which number of its sign says what.
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
