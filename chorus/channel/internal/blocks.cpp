#include <chorus/channel/internal/blocks.hpp>

#include <bit>
#include <cstddef>
#include <mutex>

#include <chorus/errors.hpp>
#include <chorus/platform/fork_mutex.hpp>
#include <chorus/platform/os_process.hpp>

namespace chorus::channel {
namespace {

constexpr std::uint64_t page_size = 4096;

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
// Before main: a fork while another thread makes it would leave a copy that waits for ever.
[[maybe_unused]] auto& mapping_mutex_made = mapping_mutex();

}  // namespace

std::uint32_t Block::this_process() noexcept {
    return by_process | static_cast<std::uint32_t>(platform::process_id());
}

bool Block::is_of_a_dead_process(std::uint32_t owner) noexcept {
    return (owner & by_process) != 0 && !platform::process_exists(static_cast<int>(owner & ~by_process));
}

Blocks::Blocks(std::shared_ptr<memory::Region> region, std::size_t table_offset)
    : region_(std::move(region)),
      table_(std::launder(reinterpret_cast<BlockTable*>(region_->data() + table_offset))) {}

std::byte* Blocks::address(std::uint32_t number) {
    const Block& block = (*this)[number];
    if (block.offset + block.size <= region_->size()) return region_->data() + block.offset;
    const std::lock_guard guard(mapping_mutex());
    if (mappings_.size() <= number) mappings_.resize(number + 1);
    if (mappings_[number].bytes().empty()) {
        mappings_[number] = platform::Mapping(region_->descriptor(), block.offset, block.size,
                                              platform::Mapping::Access::read_write);
        mappings_[number].look_up_all();
    }
    return mappings_[number].bytes().data();
}

std::uint32_t Blocks::find_free(std::uint64_t size, bool however_large) const noexcept {
    size = rounded(size);
    std::uint32_t best = none;
    for (std::uint32_t i = 0; i < table_->count; ++i) {
        const Block& block = (*this)[i];
        if (block.owner.load() != Block::nobody || block.size < size ||
            (!however_large && block.size / 8 > size))
            continue;
        if (best == none || block.size < (*this)[best].size) best = i;
    }
    return best;
}

std::uint32_t Blocks::make(std::uint64_t size, std::uint32_t owner) {
    const std::uint32_t number = table_->count;
    if (number == BlockTable::most) return none;
    const std::uint64_t needed = (number + 1) * sizeof(Block);
    if (needed > table_->table_ready) {
        const auto table =
            static_cast<std::uint64_t>(reinterpret_cast<std::byte*>(table_->blocks) - region_->data());
        platform::reserve(region_->descriptor(), table + table_->table_ready, page_size);
        table_->table_ready += page_size;
    }
    const std::uint64_t end =
        number == 0
            ? region_->size()
            : std::max<std::uint64_t>(region_->size(), (*this)[number - 1].offset + (*this)[number - 1].size);
    const std::uint64_t offset = (end + page_size - 1) / page_size * page_size;
    Block& block = (*this)[number];
    block.offset = offset;
    block.size = rounded(size);
    platform::reserve(region_->descriptor(), offset, block.size);
    block.owner = owner;
    table_->count = number + 1;
    return number;
}

}  // namespace chorus::channel
