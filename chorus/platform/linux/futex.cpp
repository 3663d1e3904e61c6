#include <chorus/platform/futex.hpp>

#include <array>
#include <climits>
#include <ctime>

#include <chorus/platform/linux/timespec.hpp>
#include <chorus/platform/patience.hpp>
#include <chorus/platform/syscall.hpp>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace chorus::platform {
namespace {

bool wait(const std::atomic<std::uint32_t>& word, std::uint32_t value, Deadline deadline,
          int operation) noexcept {
    timespec left{};
    if (!deadline.is_never()) {
        const auto remaining = deadline.remaining();
        if (remaining.count() == 0) return false;
        left = as_timespec(remaining);
    }
    const long result =
        ::syscall(SYS_futex, &word, operation, value, deadline.is_never() ? nullptr : &left, nullptr, 0);
    return !(result < 0 && errno == ETIMEDOUT);
}

int wake(const std::atomic<std::uint32_t>& word, int most, int operation) noexcept {
    return static_cast<int>(::syscall(SYS_futex, &word, operation, most, nullptr, nullptr, 0));
}

}  // namespace

// The private form needs no look-up of the page.
bool futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t value, Deadline deadline) noexcept {
    return wait(word, value, deadline, FUTEX_WAIT_PRIVATE);
}
int futex_wake(const std::atomic<std::uint32_t>& word, int most) noexcept {
    return wake(word, most, FUTEX_WAKE_PRIVATE);
}
void futex_wake_all(const std::atomic<std::uint32_t>& word) noexcept {
    wake(word, INT_MAX, FUTEX_WAKE_PRIVATE);
}

namespace {
// Callers sleep in a loop; the backoff is that of the loop which this thread runs now.
constinit thread_local Patience patience;
// For RobustMutex, at which waiters queue behind the first one. There may be a thousand idle waiters, and the
// first one wakes up for all of them.
constinit thread_local Patience patience_in_line{std::chrono::seconds(16)};
}  // namespace

bool shared_futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t value,
                       Deadline deadline) noexcept {
    return patience_in_line.sleep(deadline,
                                  [&](Deadline until) { return wait(word, value, until, FUTEX_WAIT); });
}
int shared_futex_wake(const std::atomic<std::uint32_t>& word, int most) noexcept {
    return wake(word, most, FUTEX_WAKE);
}
void shared_futex_wake_all(const std::atomic<std::uint32_t>& word) noexcept {
    wake(word, INT_MAX, FUTEX_WAKE);
}

namespace {

bool wait_on_all(std::span<const WordHolds> words, Deadline deadline, std::uint32_t flags) {
    std::array<futex_waitv, most_words_to_wait_on> list;
    for (std::size_t i = 0; i < words.size(); ++i) {
        list[i] = {};
        list[i].val = words[i].value;
        list[i].uaddr = reinterpret_cast<std::uintptr_t>(words[i].word);
        list[i].flags = flags;
    }
    timespec until{};
    if (!deadline.is_never()) {
        if (deadline.has_passed()) return false;
        until = as_timespec(deadline.when().time_since_epoch());
    }
    const long result = ::syscall(SYS_futex_waitv, list.data(), words.size(), 0,
                                  deadline.is_never() ? nullptr : &until, CLOCK_MONOTONIC);
    if (result >= 0 || errno == EAGAIN || errno == EINTR) return true;
    if (errno == ETIMEDOUT) return false;
    throw os_error("wait on several words of memory (Linux 5.16 or later is needed)", errno);
}

}  // namespace

bool futex_wait_on_all(std::span<const WordHolds> words, Deadline deadline) {
    return wait_on_all(words, deadline, FUTEX_32 | FUTEX_PRIVATE_FLAG);
}
bool shared_futex_wait_on_all(std::span<const WordHolds> words, Deadline deadline) {
    return patience.sleep(deadline, [&](Deadline until) { return wait_on_all(words, until, FUTEX_32); });
}

}  // namespace chorus::platform
