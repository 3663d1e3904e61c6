#include "platform/futex.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <climits>
#include <ctime>

#include "platform/linux/newer_calls.hpp"
#include "platform/linux/timespec.hpp"
#include "platform/patience.hpp"
#include "platform/syscall.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace chorus::inline v0::detail::platform {
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
// For RobustMutex, at which waiters queue behind the first one. There may be a thousand idle waiters,
// and the first one wakes up for all of them.
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

// Probed once: a kernel that has the call refuses to wait on no words as an invalid argument. Older
// kernels do not know it, and sandboxes refuse it with errors of their own.
bool can_wait_on_several() noexcept {
    enum : int { unknown, yes, no };
    static constinit std::atomic<int> found{unknown};
    int value = found.load(std::memory_order_relaxed);
    if (value == unknown) {
        const long result = ::syscall(call_futex_waitv, nullptr, 0, 0, nullptr, CLOCK_MONOTONIC);
        value = result < 0 && errno == EINVAL ? yes : no;
        found.store(value, std::memory_order_relaxed);
    }
    return value == yes;
}

bool wait_on_several(std::span<const WordHolds> words, Deadline deadline, std::uint32_t flags) {
    std::array<WaitedWord, most_words_to_wait_on> list;
    for (std::size_t i = 0; i < words.size(); ++i)
        list[i] = {words[i].value, reinterpret_cast<std::uintptr_t>(words[i].word), flags, 0};
    timespec until{};
    if (!deadline.is_never()) {
        if (deadline.has_passed()) return false;
        until = as_timespec(deadline.when().time_since_epoch());
    }
    const long result = ::syscall(call_futex_waitv, list.data(), words.size(), 0,
                                  deadline.is_never() ? nullptr : &until, CLOCK_MONOTONIC);
    if (result >= 0 || errno == EAGAIN || errno == EINTR) return true;
    if (errno == ETIMEDOUT) return false;
    throw os_error("wait on several words of memory (futex_waitv)", errno);
}

// Without that call: sleeps on the first word, which callers choose as the one that is usually woken,
// and polls the rest at intervals. An interval is an eighth of the time waited so far. A change that
// only polling finds is found late by that much and never by more than 50 ms. An idle process wakes 20
// times a second.
bool wait_on_first(std::span<const WordHolds> words, Deadline deadline, int operation) noexcept {
    using std::chrono::milliseconds;
    constexpr std::chrono::nanoseconds shortest = std::chrono::microseconds(100);
    constexpr std::chrono::nanoseconds longest = milliseconds(50);
    const auto holds = [](const WordHolds& each) { return each.word->load() == each.value; };
    const auto begin = Deadline::Clock::now();
    // A caller may be woken by a wake-up that changes no word: it checks for itself once a second.
    for (std::chrono::nanoseconds waited{0}; waited < std::chrono::seconds(1);
         waited = Deadline::Clock::now() - begin) {
        if (!std::ranges::all_of(words, holds)) return true;
        const Deadline look_again(std::clamp(waited / 8, shortest, longest));
        const bool is_last = deadline.when() <= look_again.when();
        if (wait(*words[0].word, words[0].value, is_last ? deadline : look_again, operation)) return true;
        if (is_last) return !std::ranges::all_of(words, holds);
    }
    return true;
}

}  // namespace

bool futex_wait_on_all(std::span<const WordHolds> words, Deadline deadline) {
    if (!can_wait_on_several()) return wait_on_first(words, deadline, FUTEX_WAIT_PRIVATE);
    return wait_on_several(words, deadline, word_of_32_bits | word_of_this_process);
}
bool shared_futex_wait_on_all(std::span<const WordHolds> words, Deadline deadline) {
    return patience.sleep(deadline, [&](Deadline until) {
        if (!can_wait_on_several()) return wait_on_first(words, until, FUTEX_WAIT);
        return wait_on_several(words, until, word_of_32_bits);
    });
}

}  // namespace chorus::inline v0::detail::platform
