// Queue, LifoQueue, PriorityQueue, SimpleQueue: values from any thread to any thread of this process.
//
//     mt::Queue<std::string> q(100);       // at most 100 items; 0, the default: as many as memory holds
//     q.put("x");  auto s = q.get();
//     for (auto& item : q) …               // until it is shut down and empty
//
// Semantics: Python's queue module through 3.13: with task_done, join and shutdown, and exact sizes. The
// calls are those of multiprocessing::Queue. Items need not be copyable. Handles are light values whose
// copies are the same queue; an item that holds a handle of the queue it is in keeps that alive.
//
// What an item's own functions may do: its destructor anything, also put into the queue it was got from.
// Moving, put_many()'s copying and a PriorityQueue's comparison run while one side of the queue is held: they
// must not use it. Whatever of these throws, the queue stays as it was, and the item where it was.
//
// Threads: every call may come from any thread, none from a signal handler.
// Death: a thread does not die alone. In a forked child a queue of its parent's threads must not be used.
#pragma once

#include <algorithm>
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
#include <chorus/detail/channel/item_store.hpp>
#include <chorus/detail/channel/turnstile.hpp>
#include <chorus/errors.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::channel {

/// An item's way in and out, for all kinds of queues.
template <class T, class Store>
class ThreadQueueState {
    static_assert(std::is_object_v<T> && !std::is_const_v<T> && std::move_constructible<T>,
                  "a queue holds values that can be moved");

public:
    template <class... StoreArguments>
    explicit ThreadQueueState(std::size_t maxsize, StoreArguments&&... arguments)
        : turnstile_(maxsize, Store::sides), store_(std::forward<StoreArguments>(arguments)...) {}

    Turnstile& turnstile() noexcept { return turnstile_; }
    const Turnstile& turnstile() const noexcept { return turnstile_; }

    /// Returns false when no room became free in time; then the value is untouched.
    template <class Value>
    bool put(Value&& value, Deadline deadline) {
        Turnstile::Put put(turnstile_, deadline);
        if (!put) return false;
        store_.push(std::forward<Value>(value));
        put.commit(1);
        return true;
    }

    std::size_t put_many(std::span<const T> values, Deadline deadline) {
        std::size_t done = 0;
        while (done < values.size()) {
            Turnstile::Put put(turnstile_, deadline);
            if (!put) break;
            const std::size_t before = done;
            const std::size_t end = before + std::min(put.room(), values.size() - before);
            try {
                for (; done < end; ++done) store_.push(values[done]);
            } catch (...) {
                put.commit(done - before);
                throw;
            }
            put.commit(done - before);
        }
        return done;
    }

    T get(Deadline deadline) {
        Turnstile::Get get(turnstile_, deadline);
        if (!get) Turnstile::throw_empty();
        T value(std::move(store_.front()));
        const auto shell = store_.pop();  // gone after the side is let go
        get.commit(1);
        return value;
    }

    std::optional<T> try_get() {
        Turnstile::Get get(turnstile_, now);
        if (!get) return std::nullopt;
        std::optional<T> value(std::in_place, std::move(store_.front()));
        const auto shell = store_.pop();
        get.commit(1);
        return value;
    }

    std::vector<T> get_many(std::size_t most, Deadline deadline) {
        std::vector<T> values;
        std::vector<typename Store::Shell> shells;
        Turnstile::Get get(turnstile_, deadline);
        if (!get) Turnstile::throw_empty();
        const std::size_t count = std::min(most, get.available());
        values.reserve(count);
        shells.reserve(count);
        try {
            while (values.size() < count) {
                values.push_back(std::move(store_.front()));
                shells.push_back(store_.pop());
            }
        } catch (...) {
            if (values.empty()) throw;  // otherwise the next call will meet it
        }
        get.commit(values.size());
        return values;
    }

    void shut_down(bool immediately) {
        if (turnstile_.shut_down(immediately)) store_.clear();
    }

private:
    Turnstile turnstile_;
    Store store_;
};

}  // namespace chorus::channel

namespace chorus::threading {

/// What may be said about a queue.
struct QueueOptions {
    std::size_t maxsize = 0;  ///< items; 0: no limit
};

/// How a queue is shut down.
struct ShutdownOptions {
    bool immediate = false;  ///< throw away what is in the queue
};

/// What Queue, LifoQueue and PriorityQueue can do; the store decides which item comes out first.
template <class T, class Store>
class BasicQueue {
public:
    /// `maxsize` in items; 0 for as many as memory holds.
    explicit BasicQueue(std::size_t maxsize = 0) : state_(std::make_shared<State>(maxsize)) {}
    /// The same, said by name.
    explicit BasicQueue(QueueOptions options) : BasicQueue(options.maxsize) {}
    /// A PriorityQueue's comparison.
    template <class Compare>
        requires std::constructible_from<Store, Compare>
    BasicQueue(std::size_t maxsize, Compare compare)
        : state_(std::make_shared<State>(maxsize, std::move(compare))) {}

    /// Waits for room. Throws: Full when none became free in time; ShutDown, also while it waits; what
    /// copying or moving the value throws. Then nothing was put; a value that was to be moved is untouched.
    void put(T&& value, Deadline deadline = {}) {
        if (!state_->put(std::move(value), deadline)) state_->turnstile().throw_full();
    }
    /// The same, with a copy.
    void put(const T& value, Deadline deadline = {})
        requires std::copy_constructible<T>
    {
        if (!put_copy(value, deadline)) state_->turnstile().throw_full();
    }
    /// Returns false instead of Full, and does not wait.
    bool try_put(T&& value) { return state_->put(std::move(value), now); }
    /// The same, with a copy.
    bool try_put(const T& value)
        requires std::copy_constructible<T>
    {
        return put_copy(value, now);
    }
    /// As put(), without waiting. Throws: Full, ShutDown.
    void put_nowait(T&& value) { put(std::move(value), now); }
    /// The same, with a copy.
    void put_nowait(const T& value)
        requires std::copy_constructible<T>
    {
        put(value, now);
    }

    /// Puts copies in this order, many at once; waits for room as often as it must.
    /// Returns how many were put before the deadline passed. Throws: ShutDown; what copying throws: then
    /// those before that one have been put.
    std::size_t put_many(std::span<const T> values, Deadline deadline = {})
        requires std::copy_constructible<T>
    {
        return state_->put_many(values, deadline);
    }

    /// Waits for an item. Throws: Empty when none came in time; ShutDown when the queue was shut down and is
    /// empty, also while it waits; what moving the item throws: then it is still in the queue.
    T get(Deadline deadline = {}) { return state_->get(deadline); }
    /// Returns nothing instead of Empty, and does not wait.
    std::optional<T> try_get() { return state_->try_get(); }
    /// As get(), without waiting. Throws: Empty, ShutDown.
    T get_nowait() { return get(now); }
    /// One item or more, as many as are there, at most `most`. Throws: Empty, ShutDown, as get does.
    std::vector<T> get_many(std::size_t most, Deadline deadline = {}) {
        if (most == 0) return {};
        return state_->get_many(most, deadline);
    }

    /// Items in it, exact at some instant during the call.
    std::size_t qsize() const noexcept { return state_->turnstile().size(); }
    /// Whether nothing is in it, at some instant during the call.
    bool empty() const noexcept { return qsize() == 0; }
    /// Whether as many as are allowed are in it, at some instant during the call; never without a limit.
    bool full() const noexcept { return state_->turnstile().full(); }
    /// How many items it holds at most; 0: no limit.
    std::size_t maxsize() const noexcept { return state_->turnstile().maxsize(); }
    /// From now on. If more are in it already they stay, and nothing can be put until there are fewer.
    void set_maxsize(std::size_t maxsize) { state_->turnstile().set_maxsize(maxsize); }

    /// Says that one item that was got has been dealt with. Throws: UsageError if more are done than were
    /// put.
    void task_done() { state_->turnstile().task_done(); }
    /// Waits until all that was put is done. Returns false when the deadline passed.
    bool join(Deadline deadline = {}) { return state_->turnstile().join(deadline); }

    /// Nothing can be put any more; get() throws ShutDown when the queue is empty, or at once: then what was
    /// in it counts as done, and is destroyed here. May be called again to make it immediate.
    void shutdown(ShutdownOptions options = {}) { state_->shut_down(options.immediate); }
    /// Whether shutdown() was called, by anybody.
    bool is_shutdown() const noexcept { return state_->turnstile().is_shut_down(); }

    /// Until the queue is shut down and empty.
    class iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = T;
        using difference_type = std::ptrdiff_t;
        using pointer = T*;
        using reference = T&;

        iterator() = default;
        explicit iterator(BasicQueue* queue) : queue_(queue) { ++*this; }
        T& operator*() const noexcept { return *item_; }
        iterator& operator++() {
            try {
                item_.reset();
                item_.emplace(queue_->get());
            } catch (const ShutDown&) {
                queue_ = nullptr;
            }
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const iterator& a, const iterator& b) noexcept { return a.queue_ == b.queue_; }

    private:
        BasicQueue* queue_ = nullptr;
        mutable std::optional<T> item_;
    };
    /// Gets items until the queue is shut down and empty: `for (auto& item : queue)`.
    iterator begin() { return iterator(this); }
    /// Where a loop ends.
    iterator end() { return {}; }

private:
    using State = channel::ThreadQueueState<T, Store>;

    // A copy may take long, or use the queue: it is made before its side is held, unless it is but a few
    // bytes.
    bool put_copy(const T& value, Deadline deadline) {
        if constexpr (std::is_trivially_copyable_v<T>) {
            return state_->put(value, deadline);
        } else {
            return state_->put(T(value), deadline);
        }
    }

    std::shared_ptr<State> state_;
};

/// First in, first out.
template <class T>
using Queue = BasicQueue<T, channel::Fifo<T>>;
/// Last in, first out.
template <class T>
using LifoQueue = BasicQueue<T, channel::Lifo<T>>;
/// The smallest first; which one of equals is not said.
template <class T, class Compare = std::less<T>>
using PriorityQueue = BasicQueue<T, channel::Heap<T, Compare>>;

/// First in, first out, without a limit and without an end: put() never waits for anybody.
template <class T>
class SimpleQueue {
public:
    SimpleQueue() : state_(std::make_shared<State>(0)) {}

    /// The deadline is there for the other queues' sake. Throws: what moving the value throws; then nothing
    /// was put.
    void put(T&& value, Deadline = {}) { state_->put(std::move(value), now); }
    /// The same, with a copy.
    void put(const T& value, Deadline = {})
        requires std::copy_constructible<T>
    {
        state_->put(T(value), now);
    }
    /// As put(), which never waits.
    void put_nowait(T&& value) { put(std::move(value)); }
    /// The same, with a copy.
    void put_nowait(const T& value)
        requires std::copy_constructible<T>
    {
        put(value);
    }

    /// Throws: Empty when no item came in time; what moving the item throws: then it is still in the queue.
    T get(Deadline deadline = {}) { return state_->get(deadline); }
    /// Returns nothing instead of Empty, and does not wait.
    std::optional<T> try_get() { return state_->try_get(); }
    /// As get(), without waiting. Throws: Empty.
    T get_nowait() { return get(now); }

    /// Items in it, exact at some instant during the call.
    std::size_t qsize() const noexcept { return state_->turnstile().size(); }
    /// Whether nothing is in it, at some instant during the call.
    bool empty() const noexcept { return qsize() == 0; }

private:
    using State = channel::ThreadQueueState<T, channel::Fifo<T>>;
    std::shared_ptr<State> state_;
};

}  // namespace chorus::threading

#pragma GCC visibility pop
