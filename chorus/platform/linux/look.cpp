#include <chorus/platform/look.hpp>

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

bool others_run_beside() noexcept {
    static const bool they_do = [] {
        cpu_set_t usable;
        CPU_ZERO(&usable);
        return ::sched_getaffinity(0, sizeof usable, &usable) != 0 || CPU_COUNT(&usable) > 1;
    }();
    return they_do;
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
