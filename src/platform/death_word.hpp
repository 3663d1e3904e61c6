// The death word: the kernel changes it when the thread that holds it dies, and wakes a watcher.
//
// The pointers by which the kernel finds the word lie behind it, in memory private to the owner, which
// no other process can corrupt. Therefore the words lie at the end of a shared page, and the holder
// maps a page of its own behind that.
//
// Thread safety: any thread may read and watch a word; one thread holds it.
// Crash safety: the word says that its holder is dead, and one watcher is woken.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "platform/page.hpp"

namespace chorus::inline v0::detail::platform {

/// Layout: the kernel's. Writers: the holder, and the kernel after the holder's death.
class DeathWord {
public:
    /// Holds the word until this thread ends. Returns false if another living thread holds it.
    /// Requires: the word lies in a ParticipantPage, at one of its places.
    bool try_hold() noexcept;
    bool is_held() const noexcept;
    /// The value to sleep on until the owner dies; nothing if there is no live owner.
    std::optional<std::uint32_t> watch() const noexcept;
    /// Called by the holder: watchers of an earlier holder check again.
    void dismiss_watchers() const noexcept;
    const std::atomic<std::uint32_t>& word() const noexcept { return word_; }

private:
    std::atomic<std::uint32_t> word_{0};
};

/// Where the two words of a page lie: the kernel's pointers of the first come before those of the
/// second.
inline constexpr std::size_t first_death_word = page_size - 24;
inline constexpr std::size_t second_death_word = page_size - 8;

/// One page of a shared file, to be written to, and a page of this process's own behind it. Requires:
/// it stays mapped while a thread lives that holds one of its words.
class ParticipantPage {
public:
    ParticipantPage() noexcept = default;
    /// Throws: OsError.
    ParticipantPage(int descriptor, std::size_t offset);
    ParticipantPage(ParticipantPage&& other) noexcept : page_(std::exchange(other.page_, nullptr)) {}
    ParticipantPage& operator=(ParticipantPage&& other) noexcept {
        std::swap(page_, other.page_);
        return *this;
    }
    ~ParticipantPage();

    std::byte* data() const noexcept { return page_; }

private:
    std::byte* page_ = nullptr;
};

/// In a copy of the process: this thread holds none of the words of its original.
void hold_nothing() noexcept;

}  // namespace chorus::inline v0::detail::platform
