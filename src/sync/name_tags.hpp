// Name tags: how the processes of a program are called, for who looks at it from outside (`chorus top`),
// written by who starts them.
//
// They lie in the commons. A process that uses nothing shared is known by its tag all the same, and a start
// is not made slower by it: the one who starts has this memory at hand, the one who is born does not.
//
// Threads: any. Two who hang out tags of pids that are 512 apart write into one place; one of them counts.
// Death: of who writes: the tag it was at is nobody's, until the next one comes by.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace chorus::sync {

/// `pid` is the word that commits. While the name is written it is the writer's own, negative: claimed by
/// compare-and-swap, also from a writer that is dead.
struct alignas(64) NameTag {
    static constexpr std::size_t size = 56;
    using Text = std::array<char, size>;  ///< cut short; ends with a 0

    std::atomic<std::int32_t> pid{0};
    std::array<std::atomic<std::uint64_t>, size / sizeof(std::uint64_t)> words{};

    Text read() const noexcept {
        Text text;
        for (std::size_t i = 0; i < words.size(); ++i) {
            const auto word = words[i].load(std::memory_order_relaxed);
            std::memcpy(text.data() + i * sizeof word, &word, sizeof word);
        }
        std::atomic_thread_fence(std::memory_order_acquire);  // who reads looks at `pid` once more
        text.back() = '\0';
        return text;
    }
    void write(const Text& text) noexcept {
        std::atomic_thread_fence(std::memory_order_release);  // after the claim
        for (std::size_t i = 0; i < words.size(); ++i) {
            std::uint64_t word = 0;
            std::memcpy(&word, text.data() + i * sizeof word, sizeof word);
            words[i].store(word, std::memory_order_relaxed);
        }
    }
};
static_assert(sizeof(NameTag) == 64);

inline constexpr std::size_t most_name_tags = 512;

/// Does nothing if it hangs already.
void hang_name_tag(int pid, std::string_view name) noexcept;

inline NameTag& name_tag_at(std::span<NameTag> tags, int pid) noexcept {
    return tags[static_cast<std::size_t>(pid) % most_name_tags];
}

/// Among a commons' tags, also another program's. Empty if there is none, or no more: a later process may
/// have taken its place.
inline std::string name_tag_of(std::span<NameTag> tags, int pid) {
    const NameTag& tag = name_tag_at(tags, pid);
    if (tag.pid != pid) return "";
    const auto text = tag.read();
    return tag.pid == pid ? std::string(text.data()) : std::string();
}

}  // namespace chorus::sync
