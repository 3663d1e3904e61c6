// Names of a program's processes, for external observers (`chorus top`). Written by the parent at a start.
//
// They lie in the shared runtime. A process that uses no shared object is known by its name all the same, and
// a start takes no longer: the parent has this memory mapped, the child has not.
//
// Thread safety: any thread. Two parents that write names of pids which are 512 apart write into one place;
// one of the two names is seen.
// Crash safety: the place that a dead parent was writing is free for the next name.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace chorus::inline v0::detail::sync {

/// `pid` is the word that commits. While the name is written it is the writer's own, negative: claimed by
/// compare-and-swap, also from a writer that is dead.
struct alignas(64) ProcessName {
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
        std::atomic_thread_fence(std::memory_order_acquire);  // the reader looks at `pid` once more
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
static_assert(sizeof(ProcessName) == 64);

inline constexpr std::size_t most_name_tags = 512;

/// Does nothing if it hangs already.
void publish_process_name(int pid, std::string_view name) noexcept;

inline ProcessName& process_name_at(std::span<ProcessName> tags, int pid) noexcept {
    return tags[static_cast<std::size_t>(pid) % most_name_tags];
}

/// Among a shared runtime's names, also another program's. Empty if there is none, or no more: a later
/// process may have taken its place.
inline std::string process_name_of(std::span<ProcessName> tags, int pid) {
    const ProcessName& tag = process_name_at(tags, pid);
    if (tag.pid != pid) return "";
    const auto text = tag.read();
    return tag.pid == pid ? std::string(text.data()) : std::string();
}

}  // namespace chorus::inline v0::detail::sync
