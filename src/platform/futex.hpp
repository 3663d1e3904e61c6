// Sleep on a word, wake its sleepers.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include <chorus/deadline.hpp>

namespace chorus::inline v0::detail::platform {

/// Sleeps while the word holds the value. Returns false if the deadline passes; may return early.
bool futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t value, Deadline deadline = {}) noexcept;
void futex_wake_all(const std::atomic<std::uint32_t>& word) noexcept;
/// Returns how many were woken.
int futex_wake(const std::atomic<std::uint32_t>& word, int most) noexcept;

/// The same for a word in memory shared with other processes. Returns early at intervals: see Patience.
bool shared_futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t value,
                       Deadline deadline = {}) noexcept;
void shared_futex_wake_all(const std::atomic<std::uint32_t>& word) noexcept;
int shared_futex_wake(const std::atomic<std::uint32_t>& word, int most) noexcept;

struct WordHolds {
    const std::atomic<std::uint32_t>* word = nullptr;
    std::uint32_t value = 0;
};
inline constexpr std::size_t most_words_to_wait_on = 128;

/// Sleeps while every one of these words holds its value: a wake-up on any of them ends the sleep. At
/// most most_words_to_wait_on. Requires: Linux 5.16.
bool futex_wait_on_all(std::span<const WordHolds> words, Deadline deadline = {});
/// The same for words in memory shared with other processes. Returns early at intervals: see Patience.
bool shared_futex_wait_on_all(std::span<const WordHolds> words, Deadline deadline = {});

}  // namespace chorus::inline v0::detail::platform
