#include <chorus/platform/futex.hpp>

#include <cerrno>
#include <climits>
#include <ctime>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace chorus::platform {
namespace {

bool wait(const std::atomic<std::uint32_t>& word, std::uint32_t value, Deadline deadline, int operation) noexcept {
    timespec left{};
    if (!deadline.is_never()) {
        const auto remaining = deadline.remaining();
        if (remaining.count() == 0) return false;
        left.tv_sec = static_cast<time_t>(remaining.count() / 1'000'000'000);
        left.tv_nsec = static_cast<long>(remaining.count() % 1'000'000'000);
    }
    const long result = ::syscall(SYS_futex, &word, operation, value, deadline.is_never() ? nullptr : &left, nullptr, 0);
    return !(result < 0 && errno == ETIMEDOUT);
}

}  // namespace

// The private form needs no look-up of the page.
bool futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t value, Deadline deadline) noexcept {
    return wait(word, value, deadline, FUTEX_WAIT_PRIVATE);
}

bool shared_futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t value, Deadline deadline) noexcept {
    return wait(word, value, deadline, FUTEX_WAIT);
}

void shared_futex_wake_all(const std::atomic<std::uint32_t>& word) noexcept { ::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0); }

void futex_wake_all(const std::atomic<std::uint32_t>& word) noexcept { ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0); }

}  // namespace chorus::platform
