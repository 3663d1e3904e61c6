// A word that the system changes when the thread that holds it dies, so that others hear of it.
//
// What the system needs to find the word lies behind it: in memory private to the owner, which no other
// process can corrupt. So such words stand at the end of a page that is shared, and the holder maps a page of
// its own behind that.
//
// Threads: any may look and watch; one holds.
// Death: the word says that its holder is dead, and one who watches is woken.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "platform/page.hpp"

namespace chorus::inline v0::detail::platform {

/// Layout: the system's own. Writers: who holds it, and the system when that one is dead.
class DeathWord {
public:
    /// Until this thread ends. Returns false if another one that lives does. Requires: the word lies in a
    /// ParticipantPage, at one of its places.
    bool try_hold() noexcept;
    bool is_held() const noexcept;
    /// The value to sleep on until the owner dies; nothing if there is no live owner.
    std::optional<std::uint32_t> watch() const noexcept;
    /// By the holder: who watches an earlier one looks again.
    void dismiss_watchers() const noexcept;
    const std::atomic<std::uint32_t>& word() const noexcept { return word_; }

private:
    std::atomic<std::uint32_t> word_{0};
};

/// Where the two words of a page lie: what the system needs of the first comes before that of the second.
inline constexpr std::size_t first_death_word = page_size - 24;
inline constexpr std::size_t second_death_word = page_size - 8;

/// One page of a shared file, to be written to, and a page of this process's own behind it. Requires: it
/// stays mapped while a thread lives that holds one of its words.
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

/// In a copy of the process: this thread holds none of what its original held.
void hold_nothing() noexcept;

}  // namespace chorus::inline v0::detail::platform
