// Shared memory of all processes in one program's tree: the liveness table, and what external observers read.
//
// It is mapped in every process without being passed to one, so a wild write of one process must harm no
// other. A process can write only to the participants of its own threads, and to what no process relies on;
// the rest is mapped read-only. The lock that guards the shared runtime lies in the kernel
// (platform::lock_byte).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>

#include "platform/death_word.hpp"
#include "platform/file_descriptor.hpp"
#include "platform/page.hpp"
#include "sync/exported_counters.hpp"
#include "sync/process_names.hpp"

namespace chorus::inline v0::detail::sync {

/// One living thread that takes part: it holds two words from its first use of anything shared to its end,
/// and the system marks them however that end comes.
///
/// Layout: a page, as below; all zero at first. Writers: the thread whose life it is.
struct alignas(128) Participant {
    /// Which of the lives that had this place one after the other: part of its name.
    std::atomic<std::uint32_t> epoch{0};
    std::atomic<std::int32_t> pid{0};
    std::atomic<std::int32_t> tid{0};

    // What it waits for, if anything (wait_list).
    std::atomic<std::uint32_t> ticket{0};
    std::atomic<std::uint64_t> waits_for{0};

    char name[40]{};  ///< for messages; cut short

    /// Of a pool's worker, for external observers: twice the tasks it has done, and one more while it
    /// is at one.
    std::atomic<std::uint64_t> tasks{0};

    std::array<std::byte, platform::first_death_word - 72> unused{};
    /// Watched by waiters for a lock that this thread owns.
    platform::DeathWord as_holder;
    std::array<std::byte,
               platform::second_death_word - platform::first_death_word - sizeof(platform::DeathWord)>
        between{};
    /// Watched by waiters for the same as this thread: it waits for one thing at a time.
    platform::DeathWord as_waiter;
    std::uint32_t at_the_end = 0;
};
static_assert(sizeof(Participant) == platform::page_size);

/// Layout: as below, what can be written and the lives each behind the other, at multiples of the page size.
struct SharedRuntime {
    static constexpr std::uint64_t current_layout = 0x02'00'73'75'72'6f'68'63;  ///< "chorus", and a number
    std::uint64_t layout = current_layout;                                      ///< for external observers

    static constexpr std::uint32_t most_participants = 1U << 15;
    static constexpr std::uint32_t participants_at_a_time = 8;
    /// How many have memory. Writers: the owner of the lock on growth.
    std::atomic<std::uint32_t> participants_ready{0};

    /// Writers: any process. Whatever stands there does no harm.
    struct Hints {
        std::atomic<std::uint32_t> line_begun{0};        ///< 1 while a line is being printed
        std::atomic<std::uint32_t> next_participant{0};  ///< where to look for a free one
    };
    static constexpr std::size_t most_signs = 32;  ///< a page

    // What follows, and where it begins, in bytes from here. Of the last two there are as many as are ready.
    static constexpr std::size_t hints_offset = platform::page_size;
    static constexpr std::size_t signs_offset = hints_offset + platform::page_size;
    static constexpr std::size_t name_tags_offset = signs_offset + most_signs * sizeof(CounterBlock);
    static constexpr std::size_t signals_offset = name_tags_offset + most_name_tags * sizeof(ProcessName);
    static constexpr std::size_t participants_offset =
        (signals_offset + most_participants * sizeof(std::uint32_t) + platform::page_size - 1) /
        platform::page_size * platform::page_size;
    Hints& hints() noexcept { return *first<Hints>(hints_offset); }
    std::span<CounterBlock> signs() noexcept { return {first<CounterBlock>(signs_offset), most_signs}; }
    std::span<ProcessName> process_names() noexcept {
        return {first<ProcessName>(name_tags_offset), most_name_tags};
    }
    /// One for each participant: what tells it that its wait is over (wait_list). Writers: it, and its
    /// notifiers.
    std::atomic<std::uint32_t>* signals() noexcept {
        return first<std::atomic<std::uint32_t>>(signals_offset);
    }
    const Participant* lives() noexcept { return first<const Participant>(participants_offset); }

private:
    template <class T>
    T* first(std::size_t offset) noexcept {
        return std::launder(reinterpret_cast<T*>(reinterpret_cast<std::byte*>(this) + offset));
    }
};
inline constexpr const char* shared_runtime_label = "chorus-commons";

/// Made when first asked for. A child takes its parent's at birth.
SharedRuntime& shared_runtime();
int shared_runtime_descriptor();
void take_shared_runtime(platform::FileDescriptor file);

/// Gives more lives memory, if no more than this are ready. Throws: OsError.
void make_participants_ready(std::uint32_t more_than);

/// Held by one thread of all the program's processes at a time.
class PrintLock {
public:
    PrintLock();
    ~PrintLock();
    PrintLock(const PrintLock&) = delete;
    PrintLock& operator=(const PrintLock&) = delete;
    /// The one before has died within its line.
    bool has_died_in_a_line() const noexcept { return died_in_a_line_; }

private:
    bool died_in_a_line_;
};
/// In a copy of the process: no thread of it prints.
void free_print_lock() noexcept;

}  // namespace chorus::inline v0::detail::sync
