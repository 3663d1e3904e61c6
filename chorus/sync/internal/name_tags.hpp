// Name tags: how the processes of a program are called, for who looks at it from outside (`chorus top`),
// written by who starts them.
//
// They lie in the commons. A process that uses nothing shared is known by its tag all the same, and a start
// is not made slower by it: the one who starts has this memory at hand, the one who is born does not.
//
// Threads: any. Two who hang out tags of pids that are 512 apart write into one place; the last one counts.
// Death: of who writes: the tag it was at is nobody's.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace chorus::sync {

/// `pid` is the word that commits: 0 while the name is being written.
struct alignas(64) NameTag {
    std::atomic<std::int32_t> pid{0};
    char name[60]{};  ///< cut short
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
    return tag.pid == pid ? std::string(tag.name, ::strnlen(tag.name, sizeof tag.name)) : std::string();
}

}  // namespace chorus::sync
