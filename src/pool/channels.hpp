// The two queues between a pool and its workers, and those that replace them.
//
// Queues are memory that workers can write to. After a crash that may have damaged them the pool makes
// new ones: workers that start get those, and the older ones are read until their workers have left. So
// several generations may be in use.
//
//   1. The current queue of tasks is shut down when the workers are sent home, and not before. A queue
//      of answers is never shut down, only given up once its channels are lost. Any other ShutDown is
//      damage.
//   2. Channels that are found damaged are lost: the tasks placed in them fail, and their workers,
//      which would wait there indefinitely, are killed. What came through older channels was passed on
//      through the current ones: so with these, all are lost.
//
// Thread safety: any thread; the functions of ChannelSet require that no lock is held, unless they say
// otherwise.
// Crash safety: as the queues'.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <chorus/detail/channel/queue_access.hpp>
#include "pool/wire.hpp"

namespace chorus::inline v0::detail::pool {

struct PoolState;

struct Channels {
    channel::QueuePointer tasks;
    channel::QueuePointer answers;
    std::uint32_t generation = 0;
    std::atomic<bool> is_lost{false};  ///< damage was found: their messages are discarded
};
using ChannelsPointer = std::shared_ptr<Channels>;

class ChannelSet {
public:
    explicit ChannelSet(PoolState& state) noexcept : state_(state) {}

    /// Makes the first ones. Throws: OsError.
    void open();
    ChannelsPointer current() const {
        const std::lock_guard guard(current_mutex_);
        return current_;
    }
    /// The number of the current ones: 1, 2, …
    std::uint32_t generation() const noexcept { return generation_; }
    bool are_current(const Channels& channels) const noexcept { return channels.generation == generation_; }

    /// Posts to the result queue behind everything that a worker has sent through these channels. If
    /// they are lost, posts to the current ones: nothing that the worker has sent is received then.
    void post(ChannelsPointer through, AnswerHeader header);

    /// Replaces the current ones, which become older ones. Returns them. Throws: OsError.
    ChannelsPointer retire();
    /// Requires: PoolState::mutex, for the next three.
    const std::vector<ChannelsPointer>& older() const noexcept { return older_; }
    bool are_older(const Channels& channels) const noexcept;
    void forget(const ChannelsPointer& older) { std::erase(older_, older); }

    /// Rule 2; `what` is the error of the tasks.
    void lose(const ChannelsPointer& lost, const std::string& what) noexcept;
    /// Rule 1, when the queue of answers says ShutDown.
    void lose_answers(const ChannelsPointer& channels, const ShutDown& error) noexcept;
    /// Rule 1, when the queue of tasks says ShutDown. Returns false if the workers have been sent home.
    bool lose_tasks(const ChannelsPointer& channels) noexcept;

private:
    ChannelsPointer exchange();

    PoolState& state_;
    std::mutex replacing_;              ///< outer to all others: one thread at a time replaces channels
    mutable std::mutex current_mutex_;  ///< inner to all others
    ChannelsPointer current_;
    std::atomic<std::uint32_t> generation_{0};  ///< of current_
    std::vector<ChannelsPointer> older_;  ///< that still have workers, or answers; under PoolState::mutex
};

}  // namespace chorus::inline v0::detail::pool
