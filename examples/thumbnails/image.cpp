#include "image.hpp"

#include <stdexcept>
#include <string>

namespace thumbnails {
namespace {

constexpr std::uint64_t megapixel = 1'000'000;
constexpr std::uint64_t most_pixels = 250 * megapixel;  // the largest cameras have 150

}  // namespace

void check_size(Size claimed) {
    if (claimed.pixels() <= most_pixels) return;
    throw std::runtime_error("its header claims " + std::to_string(claimed.width) + " x " +
                             std::to_string(claimed.height) + " pixels, " +
                             std::to_string(claimed.pixels() / megapixel) + " megapixels; " +
                             std::to_string(most_pixels / megapixel) + " are taken at most");
}

Image::Image(Size its_size, int its_channels)
    : size(its_size),
      channels(its_channels),
      samples(std::make_unique_for_overwrite<unsigned char[]>(row_bytes() *
                                                              static_cast<std::size_t>(size.height))) {}

}  // namespace thumbnails
