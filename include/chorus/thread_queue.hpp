// Queue, LifoQueue, PriorityQueue, SimpleQueue: queues between the threads of this process.
//
//     mt::Queue<std::string> q(100);       // at most 100 items; 0, the default: no limit
//     q.put("x");  auto s = q.get();
//     for (auto& item : q) …               // until it is shut down and empty
//
// Semantics: Python's queue module through 3.13: with task_done, join and shutdown, and exact sizes. The
// calls are those of multiprocessing::Queue. Items need not be copyable. A handle is a light value: its
// copies refer to the same queue; an item that holds a handle of its own queue keeps that queue alive.
//
// The user's code in an item: its destructor may do anything, also put into the queue that it was got from.
// Its move, the copies of put_many() and the comparison of a PriorityQueue run while one side of the queue
// is held: they must not use the queue. Whatever they throw, the queue stays as it was, and the item where it
// was.
//
// Thread safety: any thread may make any call; a signal handler none.
// Crash safety: none needed between threads. After fork() the child must not use a queue of its parent.
#pragma once

#include <chorus/version.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <chorus/deadline.hpp>
#include <chorus/detail/channel/thread_queue_state.hpp>
#include <chorus/detail/handle.hpp>
#include <chorus/detail/pull_iterator.hpp>
#include <chorus/errors.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::threading {

/// Options of a queue.
struct QueueOptions {
    std::size_t maxsize = 0;  ///< items; 0: no limit
};

/// Options of shutdown().
struct ShutdownOptions {
    bool immediate = false;  ///< discard the items in the queue
};

/// Queue, LifoQueue and PriorityQueue: the store decides which item comes out first.
template <class T, class Store>
class BasicQueue {
public:
    /// At most `maxsize` items; 0: no limit.
    explicit BasicQueue(std::size_t maxsize = 0) : state_(std::make_shared<State>(maxsize)) {}
    /// The same by name.
    explicit BasicQueue(QueueOptions options) : BasicQueue(options.maxsize) {}
    /// With the comparison of a PriorityQueue.
    template <class Compare>
        requires std::constructible_from<Store, Compare>
    BasicQueue(std::size_t maxsize, Compare compare)
        : state_(std::make_shared<State>(maxsize, std::move(compare))) {}

    /// Adds the value; waits while the queue is full. Throws: Full if the deadline passes first; ShutDown,
    /// also while it waits; what moving the value throws. Then nothing was put, and the value is untouched.
    void put(T&& value, Deadline deadline = {}) const {
        if (!state_->put(std::move(value), deadline)) state_->turnstile().throw_full();
    }
    /// The same with a copy.
    void put(const T& value, Deadline deadline = {}) const
        requires std::copy_constructible<T>
    {
        if (!put_copy(value, deadline)) state_->turnstile().throw_full();
    }
    /// As put(), but does not wait: returns false if the queue is full.
    bool try_put(T&& value) const { return state_->put(std::move(value), now); }
    /// The same with a copy.
    bool try_put(const T& value) const
        requires std::copy_constructible<T>
    {
        return put_copy(value, now);
    }

    /// Adds copies in this order, many at once; waits for room as often as needed.
    /// Returns the number that was put before the deadline passed. Throws: ShutDown; what copying throws:
    /// then the values before that one were put.
    std::size_t put_many(std::span<const T> values, Deadline deadline = {}) const
        requires std::copy_constructible<T>
    {
        return state_->put_many(values, deadline);
    }

    /// Takes the next item; waits while the queue is empty. Throws: Empty if the deadline passes first;
    /// ShutDown if the queue is shut down and empty, also while it waits; what moving the item throws: then
    /// it is still in the queue.
    T get(Deadline deadline = {}) const { return state_->get(deadline); }
    /// As get(), but does not wait: returns nothing if the queue is empty. Throws: ShutDown; as get().
    std::optional<T> try_get() const { return state_->try_get(); }
    /// Takes all items that are there, at least one and at most `most`; waits while the queue is empty.
    /// Throws: Empty, ShutDown, as get() does.
    std::vector<T> get_many(std::size_t most, Deadline deadline = {}) const {
        if (most == 0) return {};
        return state_->get_many(most, deadline);
    }

    /// The number of items, exact at one instant during the call.
    std::size_t qsize() const { return state_->turnstile().size(); }
    /// Whether there are none, at one instant during the call.
    bool empty() const { return qsize() == 0; }
    /// Whether the limit is reached, at one instant during the call; never without a limit.
    bool full() const { return state_->turnstile().full(); }
    /// The limit in items; 0: none.
    std::size_t maxsize() const { return state_->turnstile().maxsize(); }
    /// Changes the limit. Items above it stay, and put() waits until there are fewer.
    void set_maxsize(std::size_t maxsize) const { state_->turnstile().set_maxsize(maxsize); }

    /// Marks one item that was got as done. Throws: UsageError if more items are done than were put.
    void task_done() const { state_->turnstile().task_done(); }
    /// Waits until all items that were put are done. Returns false if the deadline passes first.
    bool join(Deadline deadline = {}) const { return state_->turnstile().join(deadline); }

    /// Refuses later puts; get() throws ShutDown once the queue is empty, or at once with `.immediate`: then
    /// the items in it count as done, and are destroyed here. May be called again to make it immediate.
    void shutdown(ShutdownOptions options = {}) const { state_->shut_down(options.immediate); }
    /// Whether shutdown() was called.
    bool is_shutdown() const { return state_->turnstile().is_shut_down(); }

private:
    using State = detail::channel::ThreadQueueState<T, Store>;
    struct Pull {
        std::shared_ptr<State> state;
        bool pull(std::optional<T>& item) {
            item.reset();
            try {
                item.emplace(state->get({}));
                return true;
            } catch (const ShutDown&) {
                return false;
            }
        }
    };

public:
    /// Takes items until the queue is shut down and empty: `for (auto& item : queue)`. An input iterator.
    using iterator = detail::PullIterator<T, Pull>;
    /// Waits for the first item.
    iterator begin() const { return iterator(Pull{detail::Access::state(*this)}); }
    /// The end of a loop: the queue is shut down and empty.
    std::default_sentinel_t end() const noexcept { return {}; }

    /// Whether the handle refers to a queue: false after it was moved from. Calls throw UsageError then.
    bool valid() const noexcept { return static_cast<bool>(state_); }

    // Python's second names.
    /// As put(value, chorus::now).
    void put_nowait(T&& value) const { put(std::move(value), now); }
    /// The same with a copy.
    void put_nowait(const T& value) const
        requires std::copy_constructible<T>
    {
        put(value, now);
    }
    /// As get(chorus::now).
    T get_nowait() const { return get(now); }

private:
    friend detail::Access;

    // A copy may take long, or use the queue: it is made before its side is held, unless it is but a few
    // bytes.
    bool put_copy(const T& value, Deadline deadline) const {
        if constexpr (std::is_trivially_copyable_v<T>) {
            return state_->put(value, deadline);
        } else {
            return state_->put(T(value), deadline);
        }
    }

    detail::Handle<State> state_;
};

/// First in, first out.
template <class T>
using Queue = BasicQueue<T, detail::channel::Fifo<T>>;
/// Last in, first out.
template <class T>
using LifoQueue = BasicQueue<T, detail::channel::Lifo<T>>;
/// The smallest item first; the order of equal items is unspecified.
template <class T, class Compare = std::less<T>>
using PriorityQueue = BasicQueue<T, detail::channel::Heap<T, Compare>>;

/// First in, first out, without a limit and without shutdown: put() never waits.
template <class T>
class SimpleQueue {
public:
    /// An empty queue.
    SimpleQueue() : state_(std::make_shared<State>(0)) {}

    /// Adds the value. Never waits: the deadline makes the signature that of the other queues. Throws: what
    /// moving the value throws; then nothing was put.
    void put(T&& value, Deadline = {}) const { state_->put(std::move(value), now); }
    /// The same with a copy.
    void put(const T& value, Deadline = {}) const
        requires std::copy_constructible<T>
    {
        state_->put(T(value), now);
    }

    /// Takes the oldest item; waits while the queue is empty. Throws: Empty if the deadline passes first;
    /// what moving the item throws: then it is still in the queue.
    T get(Deadline deadline = {}) const { return state_->get(deadline); }
    /// As get(), but does not wait: returns nothing if the queue is empty.
    std::optional<T> try_get() const { return state_->try_get(); }

    /// The number of items, exact at one instant during the call.
    std::size_t qsize() const { return state_->turnstile().size(); }
    /// Whether there are none, at one instant during the call.
    bool empty() const { return qsize() == 0; }
    /// Whether the handle refers to a queue: false after it was moved from. Calls throw UsageError then.
    bool valid() const noexcept { return static_cast<bool>(state_); }

    // Python's second names.
    /// As put().
    void put_nowait(T&& value) const { put(std::move(value)); }
    /// The same with a copy.
    void put_nowait(const T& value) const
        requires std::copy_constructible<T>
    {
        put(value);
    }
    /// As get(chorus::now).
    T get_nowait() const { return get(now); }

private:
    using State = detail::channel::ThreadQueueState<T, detail::channel::Fifo<T>>;
    detail::Handle<State> state_;
};

}  // namespace chorus::inline v0::threading

#pragma GCC visibility pop
