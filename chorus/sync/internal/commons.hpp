// The memory that all processes of one program's tree share: who is alive, the lock by which they print
// whole lines, and what is told to who looks from outside.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>

#include <chorus/platform/file_descriptor.hpp>
#include <chorus/platform/robust_mutex.hpp>
#include <chorus/sync/internal/name_tags.hpp>
#include <chorus/sync/internal/signs.hpp>

namespace chorus::sync {

/// One living thread that takes part: it holds two mutexes from its first use of anything shared to its end,
/// and the system takes them back however that end comes.
///
/// Layout: as below. Writers: the thread whose life it is; of `signal` also who wakes that thread.
struct alignas(128) Life {
    /// Watched by who waits for a lock that this thread holds.
    platform::RobustMutex as_holder;
    /// Watched by who waits for the same as this thread: it waits for one thing at a time.
    platform::RobustMutex as_waiter;
    /// Which of the lives that had this place one after the other: part of its name.
    std::atomic<std::uint32_t> epoch{0};
    std::atomic<std::int32_t> pid{0};
    std::atomic<std::int32_t> tid{0};

    // What it waits for, if anything (wait_list).
    std::atomic<std::uint32_t> signal{0};
    std::atomic<std::uint64_t> waits_for{0};
    std::atomic<std::uint32_t> ticket{0};

    char name[40]{};  ///< for messages; cut short

    /// Of a pool's worker, for who looks from outside: twice the tasks it has done, and one more while it is
    /// at one.
    std::atomic<std::uint64_t> tasks{0};
};

struct Commons {
    static constexpr std::uint64_t current_layout = 0x01'00'73'75'72'6f'68'63;  ///< "chorus", and a number
    std::uint64_t layout = current_layout;  ///< for who looks from outside

    static constexpr std::uint32_t most_lives = 1U << 15;
    static constexpr std::uint32_t lives_at_a_time = 16;  ///< a page

    platform::RobustMutex print_lock;
    /// Written by who holds the print lock: 1 while a line is being written. A printer that finds it set
    /// after its owner's death starts on a fresh line.
    std::uint32_t line_begun = 0;

    /// Held while further lives get memory. `lives_ready` is written last.
    platform::RobustMutex growth_lock;
    std::atomic<std::uint32_t> lives_ready{0};
    std::atomic<std::uint32_t> next_life{0};  ///< where to look for a free one; only a hint

    static constexpr std::size_t most_signs = 32;  ///< a page

    // What follows, and where it begins, in bytes from here. Of the last there are as many as are ready.
    static constexpr std::size_t signs_offset = 4096;
    static constexpr std::size_t name_tags_offset = signs_offset + most_signs * sizeof(Sign);
    static constexpr std::size_t lives_offset = name_tags_offset + most_name_tags * sizeof(NameTag);
    std::span<Sign> signs() noexcept { return {first<Sign>(signs_offset), most_signs}; }
    std::span<NameTag> name_tags() noexcept { return {first<NameTag>(name_tags_offset), most_name_tags}; }
    Life* lives() noexcept { return first<Life>(lives_offset); }

private:
    template <class T>
    T* first(std::size_t offset) noexcept {
        return std::launder(reinterpret_cast<T*>(reinterpret_cast<std::byte*>(this) + offset));
    }
};
inline constexpr const char* commons_label = "chorus-commons";

/// Made when first asked for. A child takes its parent's at birth.
Commons& commons();
int commons_descriptor();
void take_commons(platform::FileDescriptor file);

}  // namespace chorus::sync
