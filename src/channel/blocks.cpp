#include "channel/blocks.hpp"

#include <bit>
#include <cstddef>
#include <mutex>
#include <string>

#include <chorus/errors.hpp>
#include "memory/damage.hpp"
#include "platform/fork_mutex.hpp"
#include "platform/page.hpp"
#include "platform/process_id.hpp"

namespace chorus::inline v0::detail::channel {
namespace {

constexpr std::uint64_t page_size = platform::page_size;

constexpr std::uint32_t by_process = 1U << 30;  // above any process number of the system

// In steps of an eighth, so that a block also fits items somewhat larger.
std::uint64_t rounded(std::uint64_t size) {
    const std::uint64_t step = std::max(page_size, std::bit_floor(size) / 8);
    return (size + step - 1) / step * step;
}

// One for all queues: mapping is rare.
platform::ForkMutex& mapping_mutex() {
    static auto* const instance = new platform::ForkMutex;
    return *instance;
}
// Before main: a fork while another thread makes it would leave a copy that waits indefinitely.
[[maybe_unused]] auto& mapping_mutex_made = mapping_mutex();

}  // namespace

std::uint32_t Block::this_process() noexcept {
    return by_process | static_cast<std::uint32_t>(platform::process_id());
}

bool Block::is_of_a_dead_process(std::uint32_t owner) noexcept {
    return (owner & by_process) != 0 && !platform::process_exists(static_cast<int>(owner & ~by_process));
}

Blocks::Blocks(std::shared_ptr<memory::Region> region, std::size_t table)
    : region_(std::move(region)),
      table_(std::launder(reinterpret_cast<BlockTable*>(region_->data() + table))) {}

std::span<std::byte> Blocks::bytes(std::uint32_t number, std::uint64_t needed) {
    const std::lock_guard guard(mapping_mutex());
    if (number >= count())
        memory::throw_damaged(
            "a queue", "it speaks of block " + std::to_string(number) + " of " + std::to_string(count()));
    if (mappings_.size() <= number) mappings_.resize(number + 1);
    if (mappings_[number].bytes().empty()) {
        const std::uint64_t offset = (*this)[number].offset;
        const std::uint64_t size = (*this)[number].size;
        const std::uint64_t end = platform::file_size(region_->descriptor());
        if (offset % page_size != 0 || offset < region_->size() || size == 0 || offset > end ||
            size > end - offset)
            memory::throw_damaged("a queue", "block " + std::to_string(number) + " is said to lie at " +
                                                 std::to_string(offset) + ", with " + std::to_string(size) +
                                                 " bytes, in memory of " + std::to_string(end));
        mappings_[number] =
            platform::Mapping(region_->descriptor(), offset, size, platform::Mapping::Access::read_write);
        mappings_[number].look_up_all();
    }
    const auto bytes = mappings_[number].bytes();
    if (bytes.size() < needed)
        memory::throw_damaged("a queue", std::to_string(needed) + " bytes are said to lie in a block of " +
                                             std::to_string(bytes.size()));
    return bytes;
}

std::uint32_t Blocks::find_free(std::uint64_t size, bool however_large) const noexcept {
    size = rounded(size);
    std::uint32_t best = none;
    const std::uint32_t end = count();
    for (std::uint32_t i = 0; i < end; ++i) {
        const Block& block = (*this)[i];
        if (block.owner.load() != Block::unowned || block.size < size ||
            (!however_large && block.size / 8 > size))
            continue;
        if (best == none || block.size < (*this)[best].size) best = i;
    }
    return best;
}

std::uint32_t Blocks::make(std::uint64_t size, std::uint32_t owner) {
    const std::uint32_t number = count();
    if (number == BlockTable::most) return none;
    const std::uint64_t needed = (number + 1) * sizeof(Block);
    if (const std::uint64_t ready = std::min<std::uint64_t>(table_->table_ready, sizeof table_->blocks);
        needed > ready) {
        const auto table =
            static_cast<std::uint64_t>(reinterpret_cast<std::byte*>(table_->blocks) - region_->data());
        platform::reserve(region_->descriptor(), table + ready, page_size);
        table_->table_ready = ready + page_size;
    }
    const std::uint64_t end =
        std::max<std::uint64_t>(region_->size(), platform::file_size(region_->descriptor()));
    const std::uint64_t offset = (end + page_size - 1) / page_size * page_size;
    Block& block = (*this)[number];
    block.offset = offset;
    block.size = rounded(size);
    platform::reserve(region_->descriptor(), offset, block.size);
    block.owner = owner;
    table_->count = number + 1;
    return number;
}

std::uint32_t Blocks::take(std::uint64_t size, std::uint32_t owner) {
    if (const std::uint32_t free = take_free(size, owner); free != none) return free;
    try {
        return owned(make(size, owner), owner);
    } catch (const OsError&) {
        const std::uint32_t wasteful = owned(find_free(size, true), owner);
        if (wasteful == none) throw;
        return wasteful;
    }
}

bool Blocks::has_dead_owner() const noexcept {
    const std::uint32_t end = count();
    for (std::uint32_t i = 0; i < end; ++i) {
        if (Block::is_of_a_dead_process((*this)[i].owner)) return true;
    }
    return false;
}

void Blocks::free_left_over(const std::vector<bool>& used) noexcept {
    for (std::uint32_t i = 0; i < used.size(); ++i) {
        const std::uint32_t owner = (*this)[i].owner;
        if (!used[i] &&
            (owner == Block::the_queue || owner == Block::a_ring || Block::is_of_a_dead_process(owner)))
            free(i);
    }
}

std::uint64_t Blocks::bytes_in_queue() const noexcept {
    std::uint64_t bytes = 0;
    const std::uint32_t end = count();
    for (std::uint32_t i = 0; i < end; ++i) {
        if ((*this)[i].owner == Block::the_queue) bytes += (*this)[i].size;
    }
    return bytes;
}

}  // namespace chorus::inline v0::detail::channel
