// Queue: a multi-producer, multi-consumer FIFO queue between processes.
//
//     mp::Queue<std::string> q(100);       // at most 100 items; 0, the default: no limit
//     q.put("x");  auto s = q.get();
//     for (auto& item : q) …               // until it is shut down and empty
//
// Semantics: Python's queue.Queue, between processes too: with task_done, join and shutdown, exact sizes, and
// no feeder thread. When put() returns, the item can be got, whatever then happens to the process that put
// it. A handle is a light value: its copies refer to the same queue.
//
// Thread safety: any thread of any process that has a handle may make any call.
// Crash safety: a process killed at any instant loses, doubles and tears no item, and blocks no other
// process.
//        An item whose put() had not returned may be in the queue or not; an item whose get() had not
//        returned is still in the queue, or is lost with the process. If a process that shares the queue
//        overwrites it, each call throws Damaged.
#pragma once

#include <chorus/version.hpp>

#include <cstddef>
#include <cstring>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <chorus/detail/channel/values.hpp>
#include <chorus/detail/handle.hpp>
#include <chorus/detail/pull_iterator.hpp>
#include <chorus/errors.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::multiprocessing {

template <class T>
class Queue;

/// Options of a queue.
struct QueueOptions {
    std::size_t maxsize = 0;    ///< items; 0: no limit
    std::size_t max_bytes = 0;  ///< of all items as they are serialised; 0: no limit
};

/// Options of shutdown().
struct ShutdownOptions {
    bool immediate = false;  ///< discard the items in the queue
};

/// Memory of a queue to write an item to. It is freed if it is not put. Made by Queue::loan().
class Loan {
public:
    /// Where to write: as many bytes as were asked for.
    std::span<std::byte> span() const noexcept { return message_.bytes().subspan(count_size); }

private:
    template <class T>
    friend class Queue;

    Loan(const detail::channel::QueuePointer& core, std::size_t bytes, std::size_t each)
        : message_(core, bytes + count_size, {}) {
        const std::size_t count = bytes / each;
        std::memcpy(message_.bytes().data(), &count, sizeof count);
        if (bytes % each != 0)
            throw UsageError(std::to_string(bytes) + " bytes are no whole number of items of " +
                             std::to_string(each) + " bytes");
    }

    static constexpr std::size_t count_size = sizeof(std::size_t);
    detail::channel::LongMessage message_;
};

/// An item read in place. Its memory is freed with this object, which may outlive the queue's handle. Made by
/// Queue::borrow().
class Borrowed {
public:
    /// Leaves the other without an item.
    Borrowed(Borrowed&& other) noexcept = default;  // the bytes of a vector stay where they are
    /// Frees the own item; leaves the other without one.
    Borrowed& operator=(Borrowed&& other) noexcept = default;
    /// Where to read; valid as long as this object lives.
    std::span<const std::byte> span() const noexcept { return bytes_; }

private:
    template <class T>
    friend class Queue;

    explicit Borrowed(std::vector<std::byte> copy) noexcept : copy_(std::move(copy)), bytes_(copy_) {}
    Borrowed(detail::channel::TakenBlock block, std::span<const std::byte> bytes) noexcept
        : block_(std::move(block)), bytes_(bytes) {}

    std::vector<std::byte> copy_;
    std::optional<detail::channel::TakenBlock> block_;
    std::span<const std::byte> bytes_;
};

/// First in, first out, between processes. Travels as an argument, by handle.
template <class T>
class Queue {
public:
    /// Without limits. Throws: OsError if no shared memory can be had.
    Queue() : Queue(QueueOptions{}) {}
    /// At most `maxsize` items; 0: no limit. Throws: UsageError above 2,147,483,647; OsError if no memory or
    /// descriptor can be had.
    explicit Queue(std::size_t maxsize) : Queue(QueueOptions{maxsize, 0}) {}
    /// The same, also with a limit in bytes.
    explicit Queue(QueueOptions options)
        : state_(detail::channel::make_queue(typeid(T), {options.maxsize, options.max_bytes})) {}

    /// Adds a copy; waits while the queue is full. Throws: Full if the deadline passes first; ShutDown;
    /// OsError if there is no memory for it; what serialising the value throws. Then nothing was put.
    void put(const T& value, Deadline deadline = {}) const {
        if (!detail::channel::put_value(core(), value, deadline, detail::channel::NoTag{}))
            detail::channel::throw_full(*core());
    }
    /// As put(), but does not wait: returns false if the queue is full.
    bool try_put(const T& value) const {
        return detail::channel::try_put_value(core(), value, detail::channel::NoTag{});
    }

    /// Adds copies in this order under one lock where possible; waits for room as often as needed.
    /// Returns the number that was put before the deadline passed. Throws: ShutDown, OsError, as put() does.
    std::size_t put_many(std::span<const T> values, Deadline deadline = {}) const {
        std::size_t done = 0;
        while (done < values.size()) {
            std::size_t now_done = 0;
            if constexpr (detail::message::WrittenInOnePiece<T>) {
                if (!detail::channel::is_long(detail::message::written_size(values[done])))
                    now_done = put_some(values.subspan(done), deadline);
                else
                    now_done = put_or_not(values[done], deadline);
            } else {
                now_done = put_or_not(values[done], deadline);
            }
            if (now_done == 0) break;
            done += now_done;
        }
        return done;
    }

    /// Takes the oldest item; waits while the queue is empty. Throws: Empty if the deadline passes first;
    /// ShutDown if it is shut down and empty; DecodeError and what deserialising throws: then the item is
    /// lost.
    T get(Deadline deadline = {}) const {
        detail::channel::Getting getting(*core(), deadline);
        if (!getting.begun()) detail::channel::throw_empty(*core());
        return detail::channel::take_value<T>(core(), getting, 0);
    }
    /// As get(), but does not wait: returns nothing if the queue is empty. Throws: ShutDown; as get().
    std::optional<T> try_get() const {
        detail::channel::Getting getting(*core(), now);
        if (!getting.begun()) return std::nullopt;
        return detail::channel::take_value<T>(core(), getting, 0);
    }

    /// Takes all items that are there, at least one and at most `most`; waits while the queue is empty.
    /// Throws: Empty, ShutDown, as get() does.
    std::vector<T> get_many(std::size_t most, Deadline deadline = {}) const {
        std::vector<T> values;
        if (most == 0) return values;
        if constexpr (detail::message::WrittenInOnePiece<T>) {
            detail::channel::Getting getting(*core(), deadline);
            if (!getting.begun()) detail::channel::throw_empty(*core());
            do {
                if (getting.is_long()) {
                    values.push_back(detail::channel::take_value<T>(core(), getting, 0));
                    return values;
                }
                detail::message::Reader in(getting.bytes());
                values.push_back(detail::message::read_directly<T>(in));
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
                    break;  // the item is still there: the next call throws
                }
            }
        }
        return values;
    }

    /// The number of items, exact at one instant during the call.
    std::size_t qsize() const { return detail::channel::size_of(*core()); }
    /// Whether there are none, at one instant during the call.
    bool empty() const { return qsize() == 0; }
    /// Whether a limit is reached, at one instant during the call; never without a limit.
    bool full() const { return detail::channel::is_full(*core()); }

    /// Marks one item that was got as done. Throws: UsageError if more items are done than were put.
    void task_done() const { detail::channel::task_done(*core()); }
    /// Waits until all items that were put are done. Returns false if the deadline passes first.
    bool join(Deadline deadline = {}) const { return detail::channel::join(*core(), deadline); }

    /// Refuses later puts; get() throws ShutDown once the queue is empty, or at once with `.immediate`.
    void shutdown(ShutdownOptions options = {}) const {
        detail::channel::shut_down(*core(), options.immediate);
    }
    /// Whether any process has called shutdown().
    bool is_shutdown() const { return detail::channel::is_shut_down(*core()); }

    /// Memory of the queue for an item of `bytes` bytes, to be filled and put without a copy. For queues of
    /// bytes (std::vector<std::byte>, std::string or other numbers in a row). Throws: OsError if there is no
    /// memory.
    Loan loan(std::size_t bytes) const
        requires detail::message::has_count<T>
    {
        return Loan(core(), bytes, sizeof(typename T::value_type));
    }
    /// Puts a loan of this queue, without a copy. Throws: as the other put() does; then the loan stays valid.
    void put(Loan&& loan, Deadline deadline = {}) const
        requires detail::message::has_count<T>
    {
        if (loan.message_.core() != core()) throw UsageError("this memory was lent by another queue");
        if (!loan.message_.put(loan.message_.bytes().size(), deadline)) detail::channel::throw_full(*core());
    }
    /// Takes the oldest item without a copy. Throws: Empty, ShutDown, as get() does.
    Borrowed borrow(Deadline deadline = {}) const
        requires detail::message::has_count<T>
    {
        detail::channel::Getting getting(*core(), deadline);
        if (!getting.begun()) detail::channel::throw_empty(*core());
        const auto bytes = getting.bytes();
        constexpr std::size_t count_size = sizeof(std::size_t);
        if (bytes.size() < count_size) throw DecodeError("message cut short: an item without its length");
        if (!getting.is_long()) {
            std::vector<std::byte> copy(bytes.begin() + count_size, bytes.end());
            getting.commit();
            return Borrowed(std::move(copy));
        }
        getting.commit();
        return Borrowed(detail::channel::TakenBlock(core(), getting.block()), bytes.subspan(count_size));
    }

private:
    struct Pull {
        detail::channel::QueuePointer queue;
        bool pull(std::optional<T>& item) {
            item.reset();
            try {
                item.emplace(detail::Access::make<Queue>(queue).get());
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
    iterator begin() const { return iterator(Pull{core()}); }
    /// The end of a loop: the queue is shut down and empty.
    std::default_sentinel_t end() const noexcept { return {}; }

    /// Readable, for poll and epoll, while there may be an item; try_get() tells, and resets it.
    int fileno() const { return detail::channel::descriptor_of(*core()); }
    /// Whether the handle refers to a queue: false after it was moved from. Calls throw UsageError then.
    bool valid() const noexcept { return static_cast<bool>(state_); }

    // Python's second names.
    /// As put(value, chorus::now).
    void put_nowait(const T& value) const { put(value, now); }
    /// As get(chorus::now).
    T get_nowait() const { return get(now); }

private:
    friend detail::Access;
    friend detail::HandleCodec<Queue>;
    explicit Queue(detail::channel::QueuePointer core) noexcept : state_(std::move(core)) {}

    const detail::channel::QueuePointer& core() const { return detail::Access::state(*this); }

    void write(detail::message::Writer& out) const { detail::channel::write_queue(out, core()); }
    static Queue read(detail::message::Reader& in) {
        return Queue(detail::channel::read_queue(in, typeid(T)));
    }

    // Both return the number of items that were put: 0 if the deadline passed first.
    std::size_t put_or_not(const T& value, Deadline deadline) const {
        return detail::channel::put_value(core(), value, deadline, detail::channel::NoTag{}) ? 1 : 0;
    }
    std::size_t put_some(std::span<const T> values, Deadline deadline) const {
        detail::channel::Putting putting(*core(), detail::message::written_size(values[0]), deadline);
        if (!putting.begun()) return 0;
        detail::message::write_to(putting.first(), values[0]);
        std::size_t done = 1;
        for (; done < values.size(); ++done) {
            const std::size_t bytes = detail::message::written_size(values[done]);
            std::byte* const place = detail::channel::is_long(bytes) ? nullptr : putting.add(bytes);
            if (place == nullptr) break;
            detail::message::write_to(place, values[done]);
        }
        putting.commit();
        return done;
    }

    detail::Handle<detail::channel::QueueCore> state_;
};

}  // namespace chorus::inline v0::multiprocessing

namespace chorus::inline v0 {

template <class T>
struct codec<multiprocessing::Queue<T>> : detail::HandleCodec<multiprocessing::Queue<T>> {};

}  // namespace chorus::inline v0

#pragma GCC visibility pop
