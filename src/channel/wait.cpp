#include <chorus/wait.hpp>

#include <string>

#include "channel/connection_state.hpp"
#include "platform/patience.hpp"
#include "trace/trace.hpp"

namespace chorus {
namespace channel {

const QueuePointer& receiving(const BasicConnection& connection) {
    const auto& state = *connection.state();
    if (state.closed) throw UsageError("cannot wait for a pipe's end that is closed");
    if (!state.in) throw UsageError("cannot wait for a pipe's end that only sends");
    return state.in;
}

}  // namespace channel

namespace multiprocessing {

std::vector<Waitable> wait(const std::vector<Waitable>& objects, Deadline deadline) {
    std::vector<platform::Waited> waited(objects.size());
    trace::Wait blocked("wait");
    platform::Patience patience;
    for (;;) {
        std::vector<bool> ready(objects.size());
        bool any = false;
        for (std::size_t i = 0; i < objects.size(); ++i) {
            const auto& core = objects[i].core();
            waited[i] = {core ? core->descriptor() : objects[i].descriptor()};
            // The system would pass over it.
            if (waited[i].descriptor < 0)
                throw UsageError("cannot wait for descriptor " + std::to_string(waited[i].descriptor) +
                                 ": there is no such");
            if (core && core->is_ready_or_will_ring(deadline)) ready[i] = any = true;
        }
        if (!any && !deadline.has_passed()) blocked.begins();
        const bool in_time = patience.sleep(any ? Deadline(now) : deadline, [&](Deadline until) {
            return platform::wait_for_any(waited, until);
        });
        for (std::size_t i = 0; i < objects.size(); ++i) {
            if (waited[i].invalid)
                throw UsageError("cannot wait for descriptor " + std::to_string(waited[i].descriptor) +
                                 ": it is not open");
            if (objects[i].core()) {
                if (waited[i].hung_up || objects[i].core()->is_something()) ready[i] = any = true;
            } else if (waited[i].readable || waited[i].hung_up) {
                ready[i] = any = true;
            }
        }
        // A bell that was rung for what somebody else has taken, or that nothing followed, is no reason to
        // return.
        if (!any && in_time) continue;
        std::vector<Waitable> result;
        for (std::size_t i = 0; i < objects.size(); ++i) {
            if (ready[i]) result.push_back(objects[i]);
        }
        return result;
    }
}

}  // namespace multiprocessing
}  // namespace chorus
