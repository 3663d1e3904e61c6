// The system's list of what a thread holds, which it goes through when the thread dies.
//
// The C library has registered it, for its own robust mutexes. A member is a pointer to the next one, at a
// fixed distance behind the word that the thread holds. Here:
//   1. what lies in memory of this process alone (a DeathWord's) comes before what lies in memory that others
//   can
//      write to: a damaged pointer ends the system's walk, and must not hide a life;
//   2. no pointer is ever read from memory that others can write to: what follows there is kept here as well.
//
// Threads: each has its own.
// Death: at any instant the list is whole, or names what is under way (WakesAtDeath) besides.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace chorus::inline v0::detail::platform {

/// How far behind a word its member lies: the pointer back, which only the C library uses, and the pointer
/// on.
inline constexpr std::size_t back_offset = 24;
inline constexpr std::size_t next_offset = 32;

/// For a word whose member lies in this process's own memory.
void list_as_private(const std::atomic<std::uint32_t>& word) noexcept;
/// For a word whose member lies where others can write. Few at a time.
void list_as_shared(const std::atomic<std::uint32_t>& word) noexcept;
void unlist_shared(const std::atomic<std::uint32_t>& word) noexcept;

/// In a copy of the process: this thread holds nothing of it yet.
void forget_list() noexcept;

}  // namespace chorus::inline v0::detail::platform
