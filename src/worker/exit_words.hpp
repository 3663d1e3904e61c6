// The exit words of children: how each ends, written by the child itself just before its end.
//
// They serve a parent whose kernel no longer knows the exit status: other code in the parent has
// collected it (`waitpid(-1)`, SIGCHLD ignored, SA_NOCLDWAIT), and the kernel is older than Linux 6.15.
//
// Invariants:
// 1. The words lie in a page of their own, behind the page that parent and child share during a start
//    (the gate's, the hand-over's). A child can write to no other part of what all starts use.
// 2. platform::tell_exit() and platform::tell_killed_by() write a word. The parent reads it only when
//    the kernel has reported the death and cannot report the status.
// 3. A slot is used again only once the death of its last child is known. A word holds the number of
//    its process, so the word of another process is rejected.
//
// Thread safety: any thread of the parent.
// Crash safety: a word is one store. A child killed between this store and _exit counts as ended with
// the exit code that it had decided on. A child killed before has written nothing.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "memory/segment.hpp"
#include "platform/exit_word.hpp"
#include "platform/page.hpp"

namespace chorus::inline v0::detail::worker {

using platform::page_size;
inline constexpr std::size_t most_exit_words = 1000;

/// Layout: a page shared with children. Writers: the parent before a start; then the child.
using ExitWords = std::array<std::atomic<std::uint32_t>, most_exit_words>;
inline constexpr std::uint32_t no_exit_word = most_exit_words;

/// The child's side: writes its end into this word; into none if there was no slot for it.
inline void tell_end_at(ExitWords& words, std::uint32_t number) noexcept {
    if (number < words.size()) platform::tell_end_at(words[number]);
}

/// The parent's side. Free slots are marked in its own memory, without locks: a copy of the parent
/// finds no lock that is held.
class ExitSlots {
public:
    /// Requires: the words lie in the segment.
    ExitSlots(std::shared_ptr<memory::Segment> segment, ExitWords& words)
        : segment_(std::move(segment)), words_(words) {}

    /// Returns no_exit_word if most_exit_words children live already.
    std::uint32_t claim() noexcept {
        for (std::size_t looked = 0; looked < most_exit_words; ++looked) {
            const std::uint32_t number = next_.fetch_add(1, std::memory_order_relaxed) % most_exit_words;
            if (used_[number].exchange(true)) continue;
            words_[number] = 0;
            return number;
        }
        return no_exit_word;
    }
    void release(std::uint32_t number) noexcept { used_[number] = false; }
    std::uint32_t read(std::uint32_t number) const noexcept { return words_[number]; }

private:
    const std::shared_ptr<memory::Segment> segment_;
    ExitWords& words_;
    std::array<std::atomic<bool>, most_exit_words> used_{};
    std::atomic<std::uint32_t> next_{0};
};

/// The slot of one child.
class ExitSlot {
public:
    ExitSlot() noexcept = default;
    explicit ExitSlot(std::shared_ptr<ExitSlots> slots)
        : slots_(std::move(slots)), number_(slots_->claim()) {}
    ExitSlot(ExitSlot&& other) noexcept
        : slots_(std::move(other.slots_)), number_(std::exchange(other.number_, no_exit_word)) {}
    ExitSlot& operator=(ExitSlot&& other) noexcept {
        std::swap(slots_, other.slots_);
        std::swap(number_, other.number_);
        return *this;
    }
    ~ExitSlot() {
        if (number_ != no_exit_word) slots_->release(number_);
    }

    std::uint32_t number() const noexcept { return number_; }
    /// What the child has written. Requires: it is dead.
    std::optional<int> exitcode(int pid) const noexcept {
        if (number_ == no_exit_word) return std::nullopt;
        return platform::end_told_by(slots_->read(number_), pid);
    }

private:
    std::shared_ptr<ExitSlots> slots_;
    std::uint32_t number_ = no_exit_word;
};

}  // namespace chorus::inline v0::detail::worker
