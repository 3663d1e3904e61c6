// File-descriptor passing (SCM_RIGHTS): the descriptors sent along with items, in a socket beside the
// ring.
//
// Each batch has a number, which items name; items that need the same descriptors name the same batch.
// Numbers only grow, and items are taken in the order of their batches: a consumer that finds a smaller
// number first discards that batch, because its item was never put, or has been taken.
//
// Crash safety: the number is raised before the batch is sent, so the number of a producer that is
// killed there is not used again.
//
// Memory order O5 (all five: channel/queue_core.hpp):
//   O5. Whether batches lie in the socket may be out of date. Batches of a message are announced in the
//       message itself (O2); left-over ones go with a later one.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>

#include <chorus/detail/message/bytes.hpp>
#include "channel/held_side.hpp"

namespace chorus::inline v0::detail::channel {

class DescriptorPassing {
public:
    explicit DescriptorPassing(const OpenQueue& queue) : queue_(queue) {}

    /// Sends them ahead of their message. Returns the number that the message names, `no_batch` for
    /// none; nothing if the socket has no room. Requires: the lock of the puts is held. Throws:
    /// BrokenPipe, OsError.
    std::optional<std::uint64_t> send(std::span<const message::Attachment> attachments);
    /// The descriptors of a message, before the commit. Requires: the lock of the gets is held. Throws:
    /// OsError if this process can have no more.
    message::Attachments receive(std::uint64_t batch) const;
    /// Empties the socket if the queue is empty: what a batch held must not stay open there once its
    /// item was taken, as it may be a pipe's end. Requires: the lock of the gets is held, and nothing
    /// taken is uncommitted.
    void discard_left_over() const;

    static bool may_be_there(const QueueState& state) noexcept {
        return state.batches.are_there.load(std::memory_order_relaxed) != 0;  // O5
    }
    bool may_be_there() const noexcept { return may_be_there(queue_.state); }
    /// The last send() found no room.
    bool is_full() const noexcept { return is_full_; }

private:
    const OpenQueue& queue_;
    std::atomic<bool> is_full_{false};
};

}  // namespace chorus::inline v0::detail::channel
