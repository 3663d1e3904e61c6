// The pictures to learn from, in shared memory: there once, however many workers look at them.
//
// Thread safety: any number of threads may read.
// Crash safety: nothing is written after load(), so nothing can be half changed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <chorus/chorus.hpp>

namespace train {

constexpr std::size_t classes = 10;

/// Pictures and what they show. As an argument it is a handle: the bytes are not copied.
struct Pictures {
    std::size_t count = 0;
    std::size_t pixels = 0;                                 ///< of each
    chorus::multiprocessing::RawArray<std::uint8_t> bytes;  ///< picture after picture
    chorus::multiprocessing::RawArray<std::uint8_t> labels;
};

struct Data {
    Pictures training;  ///< the last sixth of them is kept apart to choose by
    Pictures test;      ///< looked at for the best choice only
};

/// From the files of MNIST in a directory; at most so many of each kind of pictures, 0 for all. Throws:
/// std::runtime_error.
Data load(const std::string& directory, std::size_t most);

}  // namespace train
