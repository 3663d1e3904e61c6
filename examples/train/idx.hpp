// Files in the format of MNIST: a number that says what they are, their dimensions, and then bytes.
//
// Thread safety: a pure function of the file system.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace train {

struct Idx {
    std::vector<std::size_t> dimensions;
    std::vector<std::uint8_t> bytes;  ///< as many as the product of the dimensions
};

/// Throws: std::runtime_error if it cannot be read, is something else, has another number of dimensions, or
/// is cut short.
Idx read_idx(const std::string& path, std::size_t dimensions);

}  // namespace train
