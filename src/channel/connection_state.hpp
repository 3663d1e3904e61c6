// One end of a pipe, in one process.
#pragma once

#include "channel/queue_core.hpp"

namespace chorus::inline v0::detail::channel {

struct ConnectionState {
    QueuePointer in;   ///< null on an end that only sends
    QueuePointer out;  ///< null on an end that only receives
    bool closed = false;
};

}  // namespace chorus::inline v0::detail::channel
