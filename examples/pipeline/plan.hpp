// What there is to do: the files, cut into blocks, in the order of the output.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pipeline {

/// Where a block comes from. Plain data: it travels between processes.
struct Range {
    std::uint64_t number = 0;  ///< of the block: 0, 1, …
    std::uint64_t file = 0;    ///< which of the files
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
};

struct Input {
    std::string path;
    std::uint64_t size = 0;  ///< when it was looked at; what is added later is left out
};

/// Throws: std::runtime_error if one is not there, or no regular file.
std::vector<Input> look_at(const std::vector<std::string>& paths);

/// The blocks of all files one after the other, but for the first `done` bytes. One empty block if there are
/// no bytes at all.
/// Throws: std::runtime_error if there are less than `done`.
std::vector<Range> make_plan(const std::vector<Input>& inputs, std::uint64_t block_size, std::uint64_t done);

}  // namespace pipeline
