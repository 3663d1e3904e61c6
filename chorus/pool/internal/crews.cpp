#include <chorus/pool/internal/crews.hpp>

#include <mutex>

#include <chorus/platform/fork_mutex.hpp>
#include <chorus/platform/os_process.hpp>
#include <chorus/worker/internal/identity.hpp>
#include <chorus/worker/internal/lifetime.hpp>

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

bool finish_all() {
    std::vector<std::weak_ptr<Crew>> all;
    {
        const std::lock_guard guard(crews().mutex);
        all.swap(crews().all);
    }
    bool waited = false;
    for (const auto& each : all) {
        if (const auto crew = each.lock()) waited = crew->finish(false) || waited;
    }
    return waited;
}

}  // namespace

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
}

}  // namespace chorus::pool
