// The layout of a queue in shared memory, and which caller writes which word.
//
// Each side (puts, gets) has a lock, an index and a place where its callers wait. An index holds
// position and number of items, which advance together. A message is enqueued when the producer index
// advances past it and dequeued when the consumer index does. Each commit is one store made under that
// side's lock.
//
// The rings and the blocks lie behind this state (channel/ring.hpp, channel/blocks.hpp).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <span>

#include "memory/region.hpp"
#include "platform/page.hpp"
#include "sync/lock_state.hpp"

namespace chorus::inline v0::detail::channel {

/// How far a side has come: `position` counts units of the ring, `items` what has passed. Both wrap.
struct Index {
    std::uint32_t position = 0;
    std::uint32_t items = 0;
    friend bool operator==(const Index&, const Index&) = default;
};
static_assert(std::atomic<Index>::is_always_lock_free);

/// Positions of the two sides are never further apart: so they can be compared although they wrap.
inline constexpr std::uint64_t largest_distance = 1U << 31;

/// Readiness state for waiters that use poll or epoll (channel/readiness.hpp).
struct PollSignal {
    sync::Word wanted{0};
    sync::Word filled{0};  ///< there may be a message in the socket
};

/// Layout: as below; each side on lines of its own. Writers: the owner of the side's lock, except where
/// noted.
struct Side {
    alignas(64) sync::LockState lock;
    sync::Word ring{0};  ///< number of the block in which this side works
    Index other;         ///< what it last saw of the other side's index
    alignas(64) std::atomic<Index> index{};
    alignas(64) sync::Bell bell;  ///< of this side's waiting callers; writers: any caller
    platform::RobustMutex line;   ///< in which they wait
    PollSignal signal;            ///< of this side's callers; writers: the owner of the other side's lock
};

/// The descriptor batches in the socket (channel/descriptor_batches.hpp). Writers: the owner of the
/// lock of the puts.
struct DescriptorBatches {
    static constexpr std::uint32_t most_names = 16;

    std::uint64_t last = 0;   ///< number of the last batch that was sent
    std::uint32_t count = 0;  ///< names of the last batch; 0: it cannot be used again
    sync::Word are_there{0};  ///< some may be in the socket
    std::uint64_t names[most_names]{};
};

/// Layout: as below. Written once, except for `phase`, `done`, `departures` (any caller), `sweep`
/// (either side) and `last_getter` (the side of the gets).
struct QueueState {
    static constexpr std::uint64_t current_layout = 2;

    std::uint64_t layout = current_layout;
    std::uint64_t type = 0;  ///< of its items
    std::uint64_t max_items = 0;
    std::uint64_t max_bytes = 0;

    /// open → draining or immediate, draining → immediate: a commit. Its low 30 bits stay free: the
    /// kernel wakes a sleeper on it if the caller that shuts down is killed.
    enum Phase : std::uint32_t { open = 0, draining = 1U << 30, immediate = 3U << 30 };
    alignas(64) sync::Word phase{open};
    alignas(64) sync::Word done{0};  ///< items that were said to be done
    sync::Bell all_done;
    sync::Word last_getter{0};  ///< the participant that got last; pipes only
    sync::Word departures{0};   ///< how often a process closed its receiving end of a pipe
    sync::Word sweep{0};        ///< a process was killed: there may be blocks that nothing refers to

    DescriptorBatches batches;

    Side puts;
    Side gets;
};

/// Where the state lies in a queue's region.
inline constexpr std::size_t state_offset = sizeof(memory::RegionHeader);
/// Where the table of the blocks lies.
inline constexpr std::size_t table_offset = platform::page_size;
static_assert(state_offset + sizeof(QueueState) <= table_offset);

/// The half of the index that changes with each commit: what the other side sleeps on.
inline const sync::Word& position_of(const Side& side) noexcept {
    return *std::launder(static_cast<const sync::Word*>(static_cast<const void*>(&side.index)));
}

// ---- for observers outside of the program -------------------------------------------------------

/// A queue as an observer that only reads its memory sees it.
struct QueueSight {
    std::uint64_t region = 0;     ///< its name
    std::uint64_t max_items = 0;  ///< 0: no limit
    std::uint64_t max_bytes = 0;
    std::uint32_t put = 0;  ///< items so far, modulo 2^32
    std::uint32_t got = 0;
    bool is_pipe = false;
    bool is_shut_down = false;
};
/// Where in a queue's region that is to be seen: within its first bytes.
inline constexpr std::size_t bytes_in_sight = platform::page_size;
static_assert(state_offset + sizeof(QueueState) <= bytes_in_sight);
/// Nothing if it is of another version. Requires: that many bytes.
inline std::optional<QueueSight> look_at_queue(std::span<const std::byte> region) noexcept {
    const auto& header = *std::launder(reinterpret_cast<const memory::RegionHeader*>(region.data()));
    const auto& state = *std::launder(reinterpret_cast<const QueueState*>(region.data() + state_offset));
    if (state.layout != QueueState::current_layout) return std::nullopt;
    QueueSight sight{.region = header.name,
                     .max_items = state.max_items,
                     .max_bytes = state.max_bytes,
                     .is_pipe = state.type == 0};
    sight.got = state.gets.index.load().items;  // first: what is put later is not taken for less than was got
    sight.put = state.puts.index.load().items;
    sight.is_shut_down = state.phase.load() != QueueState::open;
    return sight;
}
inline constexpr const char* queue_label = "chorus-queue";

}  // namespace chorus::inline v0::detail::channel
