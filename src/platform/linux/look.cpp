#include "platform/look.hpp"

#include <algorithm>
#include <atomic>

#include <unistd.h>

namespace chorus::inline v0::detail::platform {
namespace {

void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("isb");
#endif
}

// No static object of the function: a fork while another thread makes it would leave a copy that waits
// indefinitely.
constinit std::atomic<long> processors{0};

bool is_only_processor() noexcept {
    long count = processors.load(std::memory_order_relaxed);
    if (count == 0) {
        count = ::sysconf(_SC_NPROCESSORS_ONLN);
        processors.store(count, std::memory_order_relaxed);
    }
    return count == 1;
}

struct History {
    int failures = 0;  ///< one after the other, at most four are counted
    int to_skip = 0;   ///< looks, until the next one is tried
};
constinit thread_local History history;

}  // namespace

bool Look::again() noexcept {
    if (looks_ % looks_at_once == 0) {
        const auto time = Deadline::Clock::now();
        if (looks_ == 0) {
            if (is_only_processor()) return false;
            if (learns_ && history.to_skip > 0) {
                --history.to_skip;
                return false;
            }
            until_ = time + longest_;
        } else if (time >= until_) {
            has_failed_ = true;
            if (!learns_) return false;
            history.failures = std::min(history.failures + 1, 4);
            history.to_skip = (1 << history.failures) - 1;
            return false;
        }
    }
    ++looks_;
    pause();
    return true;
}

Look::~Look() {
    if (learns_ && looks_ > 0 && !has_failed_) history.failures = 0;
}

}  // namespace chorus::inline v0::detail::platform
