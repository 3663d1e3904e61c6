#include "pool/crews.hpp"

#include <mutex>

#include "platform/fork_mutex.hpp"
#include "platform/os_process.hpp"
#include "worker/identity.hpp"
#include "worker/lifetime.hpp"

namespace chorus::pool {
namespace {

struct Crews {
    platform::ForkMutex mutex;
    std::vector<std::weak_ptr<Crew>> all;
};
Crews& crews() {
    static auto* const instance = new Crews;
    return *instance;
}
// Before main: a fork while another thread makes it would leave a copy that waits for ever.
[[maybe_unused]] auto& crews_made = crews();

std::vector<std::shared_ptr<Crew>> living_crews() {
    std::vector<std::shared_ptr<Crew>> living;
    const std::lock_guard guard(crews().mutex);
    for (const auto& each : crews().all) {
        if (auto crew = each.lock()) living.push_back(std::move(crew));
    }
    return living;
}

bool finish_all() {
    bool waited = false;
    for (const auto& crew : living_crews()) waited = crew->finish(false) || waited;
    return waited;
}

void leave_all() {
    for (const auto& crew : living_crews()) crew->leave();
}

}  // namespace

void submit_to(Crew& crew, std::shared_ptr<Task> task) {
    try {
        crew.submit(std::move(task));
    } catch (const UsageError&) {
        worker::stay_if_another_leaves();
        throw;
    }
}

void finish_at_the_end(const std::shared_ptr<Crew>& crew) {
    // Ctrl-C ends this process as ever, and the system ends its workers with it. One line says so, and only
    // the first process says it.
    if (worker::identity().path.empty())
        platform::announce_interrupts(
            "chorus: interrupted: the workers are ended, what they had not done is lost\n");
    {
        const std::lock_guard guard(crews().mutex);
        std::erase_if(crews().all, [](const auto& each) { return each.expired(); });
        crews().all.push_back(crew);
    }
    worker::finish_above = finish_all;
    worker::leave_above = leave_all;
}

}  // namespace chorus::pool
