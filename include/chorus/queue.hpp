// Queue: values from any process to any process, first in, first out.
//
//     mp::Queue<std::string> q(100);       // at most 100 items; 0, the default: as many as memory holds
//     q.put("x");  auto s = q.get();
//     for (auto& item : q) …               // until it is shut down and empty
//
// Semantics: Python's queue.Queue, between processes too: with task_done, join and shutdown, exact sizes, and
// no feeder thread. When put() returns the item can be got, whatever then happens to the process that put it.
// Handles are light values whose copies are the same queue.
//
// Threads: every call may come from any thread of any process that has a handle.
// Death: a process killed at any instant loses, doubles and tears nothing, and keeps nobody waiting. An item
//        whose put had not returned may be there or not; one whose get had not returned is there, or went
//        with it. One that was written over by a process that shares it says Damaged, in any call.
#pragma once

#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <chorus/detail/channel/values.hpp>
#include <chorus/errors.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::multiprocessing {

/// What may be said about a queue.
struct QueueOptions {
    std::size_t maxsize = 0;    ///< items; 0: no limit
    std::size_t max_bytes = 0;  ///< of all items as they are written; 0: no limit
};

/// How a queue is shut down.
struct ShutdownOptions {
    bool immediate = false;  ///< throw away what is in the queue
};

/// Memory of a queue to write an item in, as numbers in a row. If it is not put, it is given back.
class Loan {
public:
    /// Made by Queue::loan().
    Loan(const channel::QueuePointer& core, std::size_t bytes, std::size_t each)
        : message_(core, bytes + count_size, {}) {
        const std::size_t count = bytes / each;
        std::memcpy(message_.bytes().data(), &count, sizeof count);
        if (bytes % each != 0)
            throw UsageError(std::to_string(bytes) + " bytes are no whole number of items of " +
                             std::to_string(each) + " bytes");
    }
    /// Where to write: as many bytes as were asked for.
    std::span<std::byte> span() const noexcept { return message_.bytes().subspan(count_size); }

    const channel::QueuePointer& core() const noexcept { return message_.core(); }
    /// What Queue::put() calls.
    void put(Deadline deadline) { message_.put(message_.bytes().size(), deadline); }

private:
    static constexpr std::size_t count_size = sizeof(std::size_t);
    channel::LongMessage message_;
};

/// An item read where it lies; its memory is free again when this is gone. It may outlive the queue's handle.
class Borrowed {
public:
    /// Made by Queue::borrow(), of a short item.
    explicit Borrowed(std::vector<std::byte> copy) noexcept : copy_(std::move(copy)), bytes_(copy_) {}
    /// Made by Queue::borrow(), of a long item.
    Borrowed(channel::TakenBlock block, std::span<const std::byte> bytes) noexcept
        : block_(std::move(block)), bytes_(bytes) {}
    /// The other has nothing afterwards.
    Borrowed(Borrowed&& other) noexcept = default;  // the bytes of a vector stay where they are
    /// Gives back what it had; the other has nothing afterwards.
    Borrowed& operator=(Borrowed&& other) noexcept = default;
    /// Where to read; good for as long as this lives.
    std::span<const std::byte> span() const noexcept { return bytes_; }

private:
    std::vector<std::byte> copy_;
    std::optional<channel::TakenBlock> block_;
    std::span<const std::byte> bytes_;
};

/// First in, first out, between processes. A handle: copies are the same queue, in every process that it was
/// given to.
template <class T>
class Queue {
public:
    /// Throws: OsError when there is no memory to share.
    Queue() : Queue(QueueOptions{}) {}
    /// `maxsize` in items; 0 for as many as memory holds. Throws: UsageError above 2,147,483,647; OsError
    /// when there is no memory or no descriptor left.
    explicit Queue(std::size_t maxsize) : Queue(QueueOptions{maxsize, 0}) {}
    /// The same, said by name, also with a limit in bytes.
    explicit Queue(QueueOptions options)
        : core_(channel::make_queue(typeid(T), {options.maxsize, options.max_bytes})) {}
    /// Made by the library.
    explicit Queue(channel::QueuePointer core) noexcept : core_(std::move(core)) {}

    /// Throws: Full when no room became free in time; ShutDown; OsError when there is no memory for it; what
    /// writing the value throws. Then nothing was put.
    void put(const T& value, Deadline deadline = {}) {
        channel::put_value(core_, value, deadline, channel::NoTag{});
    }
    /// Returns false instead of Full, and does not wait.
    bool try_put(const T& value) {
        try {
            put(value, now);
            return true;
        } catch (const Full&) {
            return false;
        }
    }
    /// The same, with a copy.
    void put_nowait(const T& value) { put(value, now); }

    /// Puts them in this order, many at once; waits for room as often as it must.
    /// Returns how many were put before the deadline passed. Throws: ShutDown, OsError, as put does.
    std::size_t put_many(std::span<const T> values, Deadline deadline = {}) {
        std::size_t done = 0;
        if constexpr (message::WrittenInOnePiece<T>) {
            try {
                while (done < values.size()) {
                    if (channel::is_long(message::written_size(values[done]))) {
                        put(values[done], deadline);
                        ++done;
                    } else {
                        done += put_some(values.subspan(done), deadline);
                    }
                }
            } catch (const Full&) {
            }
        } else {
            try {
                for (; done < values.size(); ++done) put(values[done], deadline);
            } catch (const Full&) {
            }
        }
        return done;
    }

    /// Throws: Empty when no item came in time; ShutDown; DecodeError and what reading the value throws: then
    /// the item is gone.
    T get(Deadline deadline = {}) {
        channel::Getting getting(*core_, deadline);
        return channel::take_value<T>(core_, getting, 0);
    }
    /// Returns nothing instead of Empty, and does not wait. Throws: ShutDown; as get().
    std::optional<T> try_get() {
        try {
            return get(now);
        } catch (const Empty&) {
            return std::nullopt;
        }
    }
    /// As get(), without waiting.
    T get_nowait() { return get(now); }

    /// One item or more, as many as are there, at most `most`. Throws: Empty, ShutDown, as get does.
    std::vector<T> get_many(std::size_t most, Deadline deadline = {}) {
        std::vector<T> values;
        if (most == 0) return values;
        if constexpr (message::WrittenInOnePiece<T>) {
            channel::Getting getting(*core_, deadline);
            do {
                if (getting.is_long()) {
                    values.push_back(channel::take_value<T>(core_, getting, 0));
                    return values;
                }
                message::Reader in(getting.bytes());
                values.push_back(message::read_directly<T>(in));
            } while (values.size() < most && getting.next());
            getting.commit();
        } else {
            values.push_back(get(deadline));
            while (values.size() < most) {
                try {
                    auto more = try_get();
                    if (!more) break;
                    values.push_back(*std::move(more));
                } catch (const ShutDown&) {
                    break;  // what was got is the caller's
                } catch (const OsError&) {
                    break;  // the item is still there: the next call tells
                }
            }
        }
        return values;
    }

    /// Items in it, exact at some instant during the call.
    std::size_t qsize() const noexcept { return channel::size_of(*core_); }
    /// Whether nothing is in it, at some instant during the call.
    bool empty() const noexcept { return qsize() == 0; }
    /// Whether as much as is allowed is in it, at some instant during the call; never without a limit.
    bool full() const noexcept { return channel::is_full(*core_); }

    /// Says that one item that was got has been dealt with. Throws: UsageError if more are done than were
    /// put.
    void task_done() { channel::task_done(*core_); }
    /// Waits until all that was put is done. Returns false when the deadline passed.
    bool join(Deadline deadline = {}) { return channel::join(*core_, deadline); }

    /// Nothing can be put any more; get() throws ShutDown when the queue is empty, or at once.
    void shutdown(ShutdownOptions options = {}) { channel::shut_down(*core_, options.immediate); }
    /// Whether shutdown() was called, by anybody.
    bool is_shutdown() const noexcept { return channel::is_shut_down(*core_); }

    /// Memory for an item of that many bytes, to be filled and put: nothing is copied. For queues of bytes
    /// (std::vector<std::byte>, std::string or other numbers in a row).
    /// Throws: OsError when there is no memory.
    Loan loan(std::size_t bytes)
        requires message::has_count<T>
    {
        return Loan(core_, bytes, sizeof(typename T::value_type));
    }
    /// Puts what was lent, without copying it. Throws as the other put does; then it is still lent.
    void put(Loan&& loan, Deadline deadline = {})
        requires message::has_count<T>
    {
        if (loan.core() != core_) throw UsageError("this memory was lent by another queue");
        loan.put(deadline);
    }
    /// The next item, where it lies. Throws: Empty, ShutDown, as get does.
    Borrowed borrow(Deadline deadline = {})
        requires message::has_count<T>
    {
        channel::Getting getting(*core_, deadline);
        const auto bytes = getting.bytes();
        constexpr std::size_t count_size = sizeof(std::size_t);
        if (bytes.size() < count_size) throw DecodeError("message cut short: an item without its length");
        if (!getting.is_long()) {
            std::vector<std::byte> copy(bytes.begin() + count_size, bytes.end());
            getting.commit();
            return Borrowed(std::move(copy));
        }
        getting.commit();
        return Borrowed(channel::TakenBlock(core_, getting.block()), bytes.subspan(count_size));
    }

    /// Until the queue is shut down and empty.
    class iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = T;
        using difference_type = std::ptrdiff_t;
        using pointer = T*;
        using reference = T&;

        iterator() = default;
        explicit iterator(Queue* queue) : queue_(queue) { ++*this; }
        T& operator*() const noexcept { return *item_; }
        iterator& operator++() {
            try {
                item_ = std::make_shared<T>(queue_->get());
            } catch (const ShutDown&) {
                queue_ = nullptr;
                item_ = nullptr;
            }
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const iterator& a, const iterator& b) noexcept { return a.queue_ == b.queue_; }

    private:
        Queue* queue_ = nullptr;
        std::shared_ptr<T> item_;
    };
    /// Gets items until the queue is shut down and empty: `for (auto& item : queue)`.
    iterator begin() { return iterator(this); }
    /// Where a loop ends.
    iterator end() { return {}; }

    /// Readable, for poll and epoll, while there may be something to get; try_get() tells, and makes it wait
    /// again.
    int fileno() const { return channel::descriptor_of(*core_); }

    const channel::QueuePointer& core() const noexcept { return core_; }

private:
    std::size_t put_some(std::span<const T> values, Deadline deadline) {
        channel::Putting putting(*core_, message::written_size(values[0]), deadline);
        message::write_to(putting.first(), values[0]);
        std::size_t done = 1;
        for (; done < values.size(); ++done) {
            const std::size_t bytes = message::written_size(values[done]);
            std::byte* const place = channel::is_long(bytes) ? nullptr : putting.add(bytes);
            if (place == nullptr) break;
            message::write_to(place, values[done]);
        }
        putting.commit();
        return done;
    }

    channel::QueuePointer core_;
};

}  // namespace chorus::multiprocessing

namespace chorus {

template <class T>
struct codec<multiprocessing::Queue<T>> {
    static void write(message::Writer& out, const multiprocessing::Queue<T>& queue) {
        channel::write_queue(out, queue.core());
    }
    static multiprocessing::Queue<T> read(message::Reader& in) {
        return multiprocessing::Queue<T>(channel::read_queue(in, typeid(T)));
    }
};

}  // namespace chorus

#pragma GCC visibility pop
