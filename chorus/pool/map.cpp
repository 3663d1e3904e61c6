#include <chorus/pool/map.hpp>

#include <algorithm>

namespace chorus::pool {

std::size_t chunk_size(std::size_t wanted, std::size_t items, std::size_t workers) noexcept {
    if (wanted != 0 || items == 0) return wanted;
    const std::size_t parts = 4 * std::max<std::size_t>(workers, 1);
    return (items + parts - 1) / parts;
}

}  // namespace chorus::pool
