// Blocks compressed one by one. What gzip calls a member stands for itself, and members one after the other
// are a file that gunzip reads.
//
// Layout of a member:
//
//     | offset | bytes | what                                                       |
//     |      0 |    10 | gzip's header: 1f 8b 08, flags 04 (there is an extra field) |
//     |     10 |     2 | size of the extra field: 8                                  |
//     |     12 |     4 | its name "CS" and the size of what it holds: 4              |
//     |     16 |     4 | size of the whole member, so that the next one can be found |
//     |     20 |     … | the block, deflated                                         |
//     |   -  8 |     4 | CRC-32 of the block                                         |
//     |   -  4 |     4 | size of the block                                           |
//
// Thread safety: any number of threads at once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace pipeline {

/// Requires: less than 2 GiB. Throws: std::runtime_error if zlib fails.
std::vector<unsigned char> gzip_member(std::span<const unsigned char> block, int level);

struct WholeMembers {
    std::uint64_t end = 0;      ///< behind the last one
    std::uint64_t content = 0;  ///< bytes that they hold, before they were compressed
};
/// How far an open file is made of whole members: behind the last there may be a part of one, whose writer
/// was killed.
/// Throws: std::system_error; std::runtime_error if it begins with something else.
WholeMembers whole_members(int descriptor);

}  // namespace pipeline
