#include "pool/backends.hpp"

#include <mutex>

#include "platform/fork_mutex.hpp"
#include "platform/signals.hpp"
#include "worker/identity.hpp"
#include "worker/lifetime.hpp"

namespace chorus::inline v0::detail::pool {
namespace {

struct Backends {
    platform::ForkMutex mutex;
    std::vector<std::weak_ptr<Backend>> all;
};
Backends& backends() {
    static auto* const instance = new Backends;
    return *instance;
}
// Before main: a fork while another thread makes it would leave a copy that waits indefinitely.
[[maybe_unused]] auto& backends_made = backends();

std::vector<std::shared_ptr<Backend>> living_backends() {
    std::vector<std::shared_ptr<Backend>> living;
    const std::lock_guard guard(backends().mutex);
    for (const auto& each : backends().all) {
        if (auto backend = each.lock()) living.push_back(std::move(backend));
    }
    return living;
}

bool finish_all() {
    bool waited = false;
    for (const auto& backend : living_backends()) waited = backend->finish(false) || waited;
    return waited;
}

void leave_all() {
    for (const auto& backend : living_backends()) backend->leave();
}

}  // namespace

void submit_to(Backend& backend, std::shared_ptr<Task> task) {
    try {
        backend.submit(std::move(task));
    } catch (const UsageError&) {
        worker::stay_if_another_leaves();
        throw;
    }
}

void finish_at_the_end(const std::shared_ptr<Backend>& backend) {
    // Ctrl-C ends this process as ever, and the system ends its workers with it. One line says so, and
    // only the first process says it.
    if (worker::identity().path.empty())
        platform::announce_interrupts(
            "chorus: interrupted: the workers are ended, what they had not done is lost\n");
    {
        const std::lock_guard guard(backends().mutex);
        std::erase_if(backends().all, [](const auto& each) { return each.expired(); });
        backends().all.push_back(backend);
    }
    worker::finish_above = finish_all;
    worker::leave_above = leave_all;
}

}  // namespace chorus::inline v0::detail::pool
