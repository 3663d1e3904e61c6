// Makes, finds and removes memory with a name, and says which names there may be.
//
// A block gets its name last, when it has its size, its memory and its contents: so no process attaches
// to half a block, and a process that dies while making one leaves no name.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "platform/mapping.hpp"

namespace chorus::inline v0::detail::memory {

/// Memory and the name by which others find it.
struct NamedBlock {
    std::string name;
    platform::Mapping mapping;
};

/// psm_ and 8 hex digits, as Python's.
std::string random_block_name();

using Fill = std::function<void(std::span<std::byte>)>;

/// The name "" stands for a free one: propose() is asked until it gives one.
/// Requires: size > 0. Throws: UsageError for a name that cannot be; FileExists; OsError when there is no
/// room.
NamedBlock create_named_block(const std::string& name, std::size_t size, const Fill& fill,
                              const std::function<std::string()>& propose = random_block_name);

/// Throws: UsageError for a name that cannot be; FileNotFound; OsError; DecodeError if the block is empty.
NamedBlock attach_named_block(const std::string& name);

/// Throws: FileNotFound, OsError.
void unlink_named_block(const std::string& name);

}  // namespace chorus::inline v0::detail::memory
