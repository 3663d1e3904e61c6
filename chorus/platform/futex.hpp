// Sleep on a word, wake its sleepers.
#pragma once

#include <atomic>
#include <cstdint>

#include <chorus/deadline.hpp>

namespace chorus::platform {

/// Sleeps while the word holds the value. Returns false when the deadline passed; may return early.
bool futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t value, Deadline deadline = {}) noexcept;
void futex_wake_all(const std::atomic<std::uint32_t>& word) noexcept;

/// The same for a word in memory shared with other processes.
bool shared_futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t value, Deadline deadline = {}) noexcept;
void shared_futex_wake_all(const std::atomic<std::uint32_t>& word) noexcept;

}  // namespace chorus::platform
