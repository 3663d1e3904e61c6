#include <chorus/platform/look.hpp>

#include <atomic>

#include <sched.h>

namespace chorus::platform {
namespace {

void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("isb");
#endif
}

// No static object of the function: a fork while another thread makes it would leave a copy that waits for
// ever.
constinit std::atomic<int> processors{0};

bool others_run_beside() noexcept {
    int count = processors.load(std::memory_order_relaxed);
    if (count == 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        count = ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 2;
        processors.store(count, std::memory_order_relaxed);
    }
    return count > 1;
}

}  // namespace

bool Look::again() noexcept {
    if (looks_ % looks_at_once == 0) {
        const auto time = Deadline::Clock::now();
        if (looks_ == 0) {
            if (!others_run_beside()) return false;
            until_ = time + longest_;
        } else if (time >= until_) {
            return false;
        }
    }
    ++looks_;
    pause();
    return true;
}

}  // namespace chorus::platform
