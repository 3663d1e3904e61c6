// A queue as one process has opened it: its memory, its sockets and its constants, which all parts of
// QueueCore use.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <chorus/detail/channel/queue_access.hpp>
#include "channel/queue_state.hpp"
#include "memory/region.hpp"
#include "platform/file_descriptor.hpp"

namespace chorus::inline v0::detail::channel {

/// A queue's socket leads to itself. A pipe has two, for its two ends: an end that is gone hangs up the
/// other.
struct Sockets {
    platform::FileDescriptor puts;
    platform::FileDescriptor gets;  ///< none: the same
    int of_puts() const noexcept { return puts.get(); }
    int of_gets() const noexcept { return gets ? gets.get() : puts.get(); }
};

/// A message in a socket is a number: of a descriptor batch, or this one, which only makes it readable.
inline constexpr std::uint64_t no_batch = 0;
/// Throws: OsError.
platform::Posted post_number(int socket, std::uint64_t number, std::span<const int> descriptors = {});

struct OpenQueue {
    OpenQueue(std::shared_ptr<memory::Region> its_region, Sockets its_sockets, std::string type,
              QueueTrace traced);
    OpenQueue(const OpenQueue&) = delete;
    OpenQueue& operator=(const OpenQueue&) = delete;

    /// A pipe's receiving end.
    bool gets_only() const noexcept { return !sockets.puts; }
    std::uint64_t size() const noexcept;
    bool is_full() const noexcept { return max_items != 0 && size() >= max_items; }
    /// As seen a moment ago.
    bool has_some() const noexcept {
        return state.phase.load() != QueueState::immediate &&
               state.puts.index.load().position != state.gets.index.load().position;
    }
    bool is_shut_down() const noexcept { return state.phase.load() != QueueState::open; }
    /// Throws: Damaged if it is none.
    std::uint32_t phase() const;
    /// Throws: ShutDown.
    void require_open() const;
    /// Throws: Damaged if more was got than put, or more is there than can be.
    void expect_order(Index puts, Index gets) const;
    [[noreturn]] void tell_of_damage(const std::string& found) const;

    const std::shared_ptr<memory::Region> region;
    const Sockets sockets;
    QueueState& state;
    // Private copies of constants in the shared state: no other process can change these.
    const bool is_pipe;
    const std::uint64_t max_items;
    const std::uint64_t max_bytes;
    const std::string type_name;
    const QueueTrace trace;
};

}  // namespace chorus::inline v0::detail::channel
