// What the workers of each stage do: get, work, put, until their queues are shut down.
//
// Kind says what the workers are, see kinds.hpp.
//
// Thread safety: each worker runs one of these.
// Crash safety: what a dead worker had got and not put is lost with it. The flow gives it out again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <chorus/chorus.hpp>

#include "plan.hpp"

namespace pipeline {

struct Block {
    std::uint64_t number = 0;
    std::vector<unsigned char> bytes;
    std::string error{};  ///< why there are none
};

/// The bytes of a part of a file. What goes wrong is told in the block.
Block read_block(const std::string& path, const Range& range);
/// The block, compressed. One with an error comes back as it is.
Block pack_block(Block block, int level);

template <class Kind>
void read_blocks(typename Kind::template Queue<Range> ranges, typename Kind::template Queue<Block> blocks,
                 const std::vector<std::string>& paths) {
    try {
        for (const Range& range : ranges) blocks.put(read_block(paths[range.file], range));
    } catch (const chorus::ShutDown&) {  // the result is no longer wanted
    }
}

template <class Kind>
void pack_blocks(typename Kind::template Queue<Block> blocks, typename Kind::template Queue<Block> packed,
                 int level) {
    try {
        for (Block& block : blocks) packed.put(pack_block(std::move(block), level));
    } catch (const chorus::ShutDown&) {
    }
}

}  // namespace pipeline
