// The memory of a queue: blocks of its region's file, made when they are needed and used again and again.
//
// A fresh page costs ten times what copying it costs, so nothing is given back before the queue goes.
//
// Crash safety: what a block is used for, and by which process, is one word. A process that is killed
// in between leaves a block that nothing refers to; it is found when memory runs short, by looking
// through everything (Rings::sweep). If another process has got the number of the dead one, the block
// is found when that process has gone too: late, and never too early.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "memory/region.hpp"
#include "sync/waiting.hpp"

namespace chorus::inline v0::detail::channel {

/// Layout: as below. Writers: of `owner` the owner of the lock of the puts (0 → an owner), and the
/// block's owner (→ 0); of the rest the process that makes the block, before it is counted.
struct Block {
    static constexpr std::uint32_t unowned = 0;    ///< it is free
    static constexpr std::uint32_t the_queue = 1;  ///< an item that lies in the queue
    static constexpr std::uint32_t a_ring = 2;
    /// else: the process that writes or reads the item; its threads hand on to each other what they have
    static std::uint32_t this_process() noexcept;
    static bool is_of_a_dead_process(std::uint32_t owner) noexcept;

    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    sync::Word owner{unowned};
    std::uint32_t unused = 0;
};

/// Layout: at a fixed place of the region. Writers: the owner of the lock of the puts; `count` is
/// written last.
struct BlockTable {
    static constexpr std::uint32_t most = 65'536;

    sync::Word count{0};
    std::uint32_t unused = 0;
    std::uint64_t table_ready = 0;  ///< bytes of the table that have memory
    Block blocks[most];
};

/// One process's view of the blocks. Where one lies never changes, and is looked up once: then this process
/// knows it, and does not read it again.
class Blocks {
public:
    /// The table lies at this offset of the region.
    Blocks(std::shared_ptr<memory::Region> region, std::size_t table);

    /// How many there are.
    std::uint32_t count() const noexcept { return std::min(table_->count.load(), BlockTable::most); }
    /// Requires: number < BlockTable::most.
    Block& operator[](std::uint32_t number) const noexcept { return table_->blocks[number]; }
    /// Where it lies in this process. May be called by several threads. Throws: OsError; Damaged if there is
    /// no such block, or not with this many bytes.
    std::span<std::byte> bytes(std::uint32_t number, std::uint64_t needed);

    static constexpr std::uint32_t none = ~0U;
    /// A free block of this size or somewhat more, which gets this owner; or none. Requires: the lock
    /// of the puts is held.
    std::uint32_t take_free(std::uint64_t size, std::uint32_t owner) noexcept {
        return owned(find_free(size, false), owner);
    }
    /// Makes one if none is free; if there is no memory for it, takes a free one however large it is.
    /// Returns none if the table is full. Requires: the lock of the puts is held. Throws: OsError, with
    /// the numbers.
    std::uint32_t take(std::uint64_t size, std::uint32_t owner);
    void free(std::uint32_t number) noexcept { (*this)[number].owner.store(Block::unowned); }

    /// Whether a process that owned a block has died.
    bool has_dead_owner() const noexcept;
    /// Frees what the dead have left: blocks that they owned, or that they had given to the queue
    /// before they came to commit. `used`: blocks to which the queue refers. Requires: both locks are
    /// held.
    void free_left_over(const std::vector<bool>& used) noexcept;
    /// Of all items that lie in blocks.
    std::uint64_t bytes_in_queue() const noexcept;

private:
    std::uint32_t find_free(std::uint64_t size, bool however_large) const noexcept;
    std::uint32_t make(std::uint64_t size, std::uint32_t owner);
    std::uint32_t owned(std::uint32_t number, std::uint32_t owner) noexcept {
        if (number != none) (*this)[number].owner = owner;
        return number;
    }

    std::shared_ptr<memory::Region> region_;
    BlockTable* table_;
    std::vector<platform::Mapping> mappings_;  ///< by number, as far as they are mapped
};

}  // namespace chorus::inline v0::detail::channel
