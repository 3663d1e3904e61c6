#include "data.hpp"

#include <algorithm>
#include <span>
#include <stdexcept>

#include "idx.hpp"

namespace train {
namespace {

Pictures load_pictures(const std::string& prefix, std::size_t most) {
    const std::string images_path = prefix + "-images-idx3-ubyte";
    const std::string labels_path = prefix + "-labels-idx1-ubyte";
    const Idx images = read_idx(images_path, 3);
    const Idx labels = read_idx(labels_path, 1);
    if (images.dimensions[0] != labels.dimensions[0]) {
        throw std::runtime_error(labels_path + ": " + std::to_string(labels.dimensions[0]) + " labels for " +
                                 std::to_string(images.dimensions[0]) +
                                 " pictures; the two files do not belong together");
    }
    if (std::ranges::any_of(labels.bytes, [](std::uint8_t label) { return label >= classes; }))
        throw std::runtime_error(labels_path + ": a label is above 9");
    const std::size_t count = most == 0 ? images.dimensions[0] : std::min(most, images.dimensions[0]);
    const std::size_t pixels = images.dimensions[1] * images.dimensions[2];
    return {count, pixels,
            chorus::multiprocessing::RawArray<std::uint8_t>(std::span(images.bytes).first(count * pixels)),
            chorus::multiprocessing::RawArray<std::uint8_t>(std::span(labels.bytes).first(count))};
}

}  // namespace

Data load(const std::string& directory, std::size_t most) {
    Data data{load_pictures(directory + "/train", most), load_pictures(directory + "/t10k", most)};
    if (data.training.pixels != data.test.pixels)
        throw std::runtime_error(directory +
                                 ": pictures to learn from and to test with have different sizes");
    if (data.training.count < 6)
        throw std::runtime_error(directory + ": six pictures at least are needed to learn from");
    return data;
}

}  // namespace train
