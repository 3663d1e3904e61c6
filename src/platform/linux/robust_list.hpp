// The robust list: the locks that a thread holds, which the kernel walks when the thread dies.
//
// The C library has registered the list for its own robust mutexes. A member is a pointer to the next
// one, at a fixed distance behind the word that the thread holds.
//
// Invariants:
// 1. Members in memory of this process alone (of a DeathWord) come before members in memory that other
//    processes can write. A damaged pointer ends the kernel's walk, and must not hide the death of a
//    participant.
// 2. No pointer is read from memory that other processes can write: their successors are kept here as
//    well.
//
// Thread safety: each thread has its own list.
// Crash safety: at any instant the list is complete, except for the pending operation (WakesAtDeath),
// which the kernel handles besides.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace chorus::inline v0::detail::platform {

/// Distance of a word from its member: the previous pointer, which only the C library uses, and the
/// next pointer.
inline constexpr std::size_t back_offset = 24;
inline constexpr std::size_t next_offset = 32;

/// For a word whose member lies in this process's own memory.
void list_as_private(const std::atomic<std::uint32_t>& word) noexcept;
/// For a word whose member lies where other processes can write. Few at a time.
void list_as_shared(const std::atomic<std::uint32_t>& word) noexcept;
void unlist_shared(const std::atomic<std::uint32_t>& word) noexcept;

/// In a copy of the process: this thread holds nothing yet.
void forget_list() noexcept;

}  // namespace chorus::inline v0::detail::platform
