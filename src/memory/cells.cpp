#include <chorus/detail/memory/cells.hpp>

#include <cstdint>
#include <cstdlib>
#include <limits>
#include <new>
#include <string>

#include <chorus/detail/message/callable.hpp>
#include <chorus/errors.hpp>
#include "memory/region.hpp"
#include "platform/available_memory.hpp"

namespace chorus::inline v0::detail::memory {

/// Layout: in front of the elements, which begin at the next multiple of their alignment. Writers: its maker,
/// before any other thread sees it.
struct CellsHeader {
    std::uint64_t type = 0;
    std::uint64_t count = 0;
    std::uint64_t element_size = 0;
    std::uint64_t is_array = 0;
};
static_assert(sizeof(CellsHeader) == 32);

namespace {

constexpr std::size_t line = 64;  // memory comes aligned so
constexpr std::size_t largest_small = 4096;
// Asking what is available costs little beside reserving as much as this.
constexpr std::size_t smallest_large = std::size_t{16} << 20;
// No address reaches farther; far from where adding to a size turns round.
constexpr std::size_t most_bytes = std::numeric_limits<std::size_t>::max() / 4;

std::size_t first_offset(const CellKind& kind) {
    return (sizeof(CellsHeader) + kind.alignment - 1) / kind.alignment * kind.alignment;
}

Cells cells_at(std::shared_ptr<CellsHeader> header, const CellKind& kind, std::size_t count) {
    auto* const first = reinterpret_cast<std::byte*>(header.get()) + first_offset(kind);
    return {std::move(header), first, count};
}

// A small one among others, so that it takes no descriptor of its own.
Place shared_place(std::size_t bytes) {
    return bytes <= largest_small ? allocate(bytes) : allocate_alone("chorus-array", bytes);
}

// By calloc, which gets large memory zeroed from the system and touches none of it.
std::shared_ptr<void> private_memory(std::size_t bytes) {
    const std::shared_ptr<void> memory(std::calloc(1, bytes + line), std::free);
    if (memory == nullptr) platform::throw_no_memory(bytes);
    void* aligned = memory.get();
    std::size_t room = bytes + line;
    std::align(line, bytes, aligned, room);
    return {memory, aligned};
}

std::string elements(std::uint64_t count, std::uint64_t size) {
    return std::to_string(count) + " elements of " + std::to_string(size) + " bytes";
}

}  // namespace

Cells make_cells(Sharing sharing, const CellKind& kind, std::size_t count) {
    const std::size_t offset = first_offset(kind);
    if (count > (most_bytes - offset) / kind.size)
        throw UsageError(elements(count, kind.size) + " are more than any memory has");
    const std::size_t bytes = offset + count * kind.size;
    // Here, and not only in reserve(): the error names the size that was asked for.
    if (bytes >= smallest_large) platform::expect_available_memory(bytes);
    std::shared_ptr<CellsHeader> header;
    if (sharing == Sharing::processes) {
        const Place place = shared_place(bytes);
        new (place.address()) CellsHeader;
        header = object_at<CellsHeader>(place);
    } else {
        const auto memory = private_memory(bytes);
        header = std::shared_ptr<CellsHeader>(memory, new (memory.get()) CellsHeader);
    }
    *header = {message::type_number(kind.type), count, kind.size, kind.is_array ? 1U : 0U};
    return cells_at(std::move(header), kind, count);
}

void write_cells(message::Writer& out, const Cells& cells) { write_place(out, place_of(cells.header())); }

Cells read_cells(message::Reader& in, const CellKind& kind) {
    const Place place = read_place(in, sizeof(CellsHeader));
    const auto header = object_at<CellsHeader>(place);
    const CellsHeader found = *header;
    const std::string wanted = message::readable_type(kind.type);
    if (found.type != message::type_number(kind.type) || found.element_size != kind.size ||
        found.is_array != (kind.is_array ? 1U : 0U)) {
        throw TypeMismatch(
            "shared memory was read as " + std::string(kind.is_array ? "an array" : "a value") + " of " +
            wanted + ", " + std::to_string(kind.size) + " bytes each, but holds " +
            (found.is_array != 0 ? "an array: " : "a value: ") + elements(found.count, found.element_size) +
            (found.element_size == kind.size ? " of another type" : ""));
    }
    const std::size_t room = place.room();
    if (first_offset(kind) > room || found.count > (room - first_offset(kind)) / kind.size) {
        throw DecodeError("shared memory damaged: " + elements(found.count, kind.size) + " (" + wanted +
                          ") are said to lie in " + std::to_string(room) + " bytes");
    }
    return cells_at(header, kind, found.count);
}

void refuse_index(std::size_t index, std::size_t count) {
    throw UsageError("index " + std::to_string(index) + " in an array of " + std::to_string(count) +
                     " elements, which are counted from 0");
}

}  // namespace chorus::inline v0::detail::memory
