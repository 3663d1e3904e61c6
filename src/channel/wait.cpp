#include <chorus/wait.hpp>

#include <string>

#include "channel/connection_state.hpp"
#include "platform/patience.hpp"
#include "trace/trace.hpp"

namespace chorus::inline v0::multiprocessing {

Waitable::Waitable(const Connection& connection) {
    const auto& state = *detail::Access::state(connection);
    if (state.closed) throw UsageError("cannot wait for a pipe's end that is closed");
    if (!state.in) throw UsageError("cannot wait for a pipe's end that only sends");
    queue_ = state.in;
}

std::vector<Waitable> wait(const std::vector<Waitable>& objects, Deadline deadline) {
    std::vector<detail::platform::Waited> waited(objects.size());
    detail::trace::Wait blocked("wait");
    detail::platform::Patience patience;
    for (;;) {
        std::vector<bool> ready(objects.size());
        bool any = false;
        for (std::size_t i = 0; i < objects.size(); ++i) {
            const auto& core = objects[i].queue_;
            waited[i] = {core ? core->descriptor() : objects[i].descriptor_};
            // The kernel would pass over it.
            if (waited[i].descriptor < 0)
                throw UsageError("cannot wait for descriptor " + std::to_string(waited[i].descriptor) +
                                 ": there is no such");
            if (core && core->readiness().is_ready_or_will_ring(deadline)) ready[i] = any = true;
        }
        if (!any && !deadline.has_passed()) blocked.begins();
        const bool in_time = patience.sleep(any ? Deadline(now) : deadline, [&](Deadline until) {
            return detail::platform::wait_for_any(waited, until);
        });
        for (std::size_t i = 0; i < objects.size(); ++i) {
            if (waited[i].invalid)
                throw UsageError("cannot wait for descriptor " + std::to_string(waited[i].descriptor) +
                                 ": it is not open");
            if (objects[i].queue_) {
                if (waited[i].hung_up || objects[i].queue_->queue().has_some()) ready[i] = any = true;
            } else if (waited[i].readable || waited[i].hung_up) {
                ready[i] = any = true;
            }
        }
        // A bell that was rung for what another caller has taken, or that nothing followed, is no
        // reason to return.
        if (!any && in_time) continue;
        std::vector<Waitable> result;
        for (std::size_t i = 0; i < objects.size(); ++i) {
            if (ready[i]) result.push_back(objects[i]);
        }
        return result;
    }
}

}  // namespace chorus::inline v0::multiprocessing
