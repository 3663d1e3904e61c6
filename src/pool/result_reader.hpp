// Result reader: drains the result queue of a pool and passes each message to a handler.
//
// Leader-follower: one thread at a time is the leader and drains the queue, preferably one that is
// already blocked in get(), so that the result needs no other thread. While no thread waits, the
// backend's thread leads.
//
//   1. The leader first takes all messages that are there (at most 64) out of the queue; then it
//      handles them one after the other, without the queue's lock.
//   2. A message is removed from the reader before it is handled, and the bytes of its batch stay where
//      they are while it is handled.
//   3. Handling a message may run callbacks of a future, and a callback may wait for another future of
//      the same pool. Only this thread can receive that result, so the wait handles the next messages
//      in the callback, in their order. By rule 2 nothing of the reader is in use meanwhile.
//   4. A task leaves the ledger when its message is handled, not when the message is taken: cancel()
//      and terminate() end a task whose result waits behind a callback that blocks.
//
// Thread safety: the functions of the leader are called by that thread; the others by any.
// Crash safety: messages of dead workers come like any others; what they had not committed never comes.
// Damaged channels are lost (channels.hpp); the leader goes on with the ones that replace them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include <chorus/deadline.hpp>
#include <chorus/detail/worker/future_state.hpp>
#include "pool/pool_state.hpp"
#include "pool/wire.hpp"

namespace chorus::inline v0::detail::pool {

struct ReceivedResult {
    AnswerHeader header;
    std::span<const std::byte> rest;
    message::Attachments attachments;
    std::exception_ptr error;  ///< why the attachments could not be taken: it concerns this one task

    std::optional<channel::TakenBlock> block;  ///< what `rest` lies in, if the message is long
};

class ResultReader {
public:
    using Handler = std::function<void(ReceivedResult&)>;

    ResultReader(PoolState& state, ChannelSet& channels, Handler handle)
        : state_(state), channels_(channels), handle_(std::move(handle)) {}

    // ---- any thread ----

    /// Waits for a future, as the leader if there is none. Returns false if the deadline passes first.
    bool wait_for(const worker::FutureState& future, Deadline deadline);
    /// A future has ended that the leader may wait for.
    void wake_waiting() noexcept;
    /// Whether the calling thread is the leader: then it is in a callback.
    bool leads_here() const noexcept;
    /// Messages so far.
    std::uint64_t received() const noexcept { return received_; }

    // ---- the backend's thread ----

    /// Handles all that has come, unless another thread leads. `has_come`: the result queue is
    /// readable.
    void receive_all(bool has_come);
    bool has_leader() const noexcept { return leader_.load() != nullptr; }
    /// Whether a leader may still take messages from older channels. Then it rings when it does no
    /// more.
    bool reads_older() const noexcept { return has_leader() && generation_ != channels_.generation(); }

private:
    bool lead() noexcept;
    void stop_leading();
    void leave_ringing_to_the_leader();
    bool lead_until(const worker::FutureState& future, Deadline deadline);
    bool receive_one(Deadline deadline);
    void open_current();
    bool has_some() const noexcept { return next_ < taken_.size(); }
    bool drain(Deadline deadline);
    void take_all(channel::Getting& getting);

    PoolState& state_;
    ChannelSet& channels_;
    const Handler handle_;
    std::atomic<const void*> leader_{nullptr};
    std::atomic<bool> leader_waits_{false};  ///< for a future, which another thread may end
    std::atomic<std::uint64_t> received_{0};
    std::atomic<std::uint32_t> generation_{0};  ///< of source_

    // The leader's.
    ChannelsPointer source_;
    std::vector<ReceivedResult> taken_;
    std::size_t next_ = 0;          ///< of taken_
    std::vector<std::byte> bytes_;  ///< of the short ones in taken_; empty while receive_one() holds them
};

}  // namespace chorus::inline v0::detail::pool
