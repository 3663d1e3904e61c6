// Queue: values from any process to any process, first in, first out.
//
//     mp::Queue<std::string> q(100);       // at most 100 items; 0, the default: as many as memory holds
//     q.put("x");  auto s = q.get();
//     for (auto& item : q) …               // until it is shut down and empty
//
// Semantics: Python's queue.Queue, between processes too: with task_done, join and shutdown, exact sizes, and no
// feeder thread. When put() returns the item can be got, whatever then happens to the process that put it.
// Handles are light values whose copies are the same queue.
//
// Threads: every call may come from any thread of any process that has a handle.
// Death: a process killed at any instant loses, doubles and tears nothing, and keeps nobody waiting. An item whose
//        put had not returned may be there or not; one whose get had not returned is there, or went with it.
#pragma once

#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <chorus/channel/queue_access.hpp>
#include <chorus/errors.hpp>
#include <chorus/message/serialize.hpp>

namespace chorus::multiprocessing {

struct QueueOptions {
    std::size_t maxsize = 0;    ///< items; 0: no limit
    std::size_t max_bytes = 0;  ///< of all items as they are written; 0: no limit
};

struct ShutdownOptions {
    bool immediate = false;  ///< throw away what is in the queue
};

/// Memory of a queue to write an item in. If it is not put, it is given back.
class Loan {
public:
    explicit Loan(channel::LongMessage message) noexcept : message_(std::move(message)) {}
    std::span<std::byte> span() const noexcept { return message_.bytes(); }
    channel::LongMessage& message() noexcept { return message_; }

private:
    channel::LongMessage message_;
};

/// An item read where it lies; its memory is free again when this is gone. It may outlive the queue's handle.
class Borrowed {
public:
    Borrowed(std::vector<std::byte> copy) noexcept : copy_(std::move(copy)), bytes_(copy_) {}
    Borrowed(channel::TakenBlock block, std::span<const std::byte> bytes) noexcept : block_(std::move(block)), bytes_(bytes) {}
    std::span<const std::byte> span() const noexcept { return bytes_; }

private:
    std::vector<std::byte> copy_;
    std::optional<channel::TakenBlock> block_;
    std::span<const std::byte> bytes_;
};

template <class T>
class Queue {
public:
    /// Throws: OsError when there is no memory to share.
    explicit Queue(std::size_t maxsize = 0) : Queue(QueueOptions{maxsize, 0}) {}
    explicit Queue(QueueOptions options) : core_(channel::make_queue(typeid(T), {options.maxsize, options.max_bytes})) {}
    explicit Queue(channel::QueuePointer core) noexcept : core_(std::move(core)) {}

    /// Throws: Full when no room became free in time; ShutDown; OsError when there is no memory for it; what writing
    /// the value throws. Then nothing was put.
    void put(const T& value, Deadline deadline = {}) {
        if constexpr (message::WrittenInOnePiece<T>) {
            const std::size_t bytes = message::written_size(value);
            if (channel::is_long(bytes)) return put_long(bytes, deadline, [&](std::byte* place) { message::write_to(place, value); });
            channel::Putting putting(*core_, bytes, deadline);
            message::write_to(putting.add(bytes), value);
            putting.commit();
        } else {
            message::Writer out(std::move(scratch()));
            message::encode(out, value);
            put_bytes(out.buffered(), deadline);
            scratch() = out.take();
        }
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
    void put_nowait(const T& value) { put(value, now); }

    /// Puts them in this order, many at once; waits for room as often as it must.
    /// Returns how many were put before the deadline passed. Throws: ShutDown, OsError, as put does.
    std::size_t put_many(std::span<const T> values, Deadline deadline = {}) {
        std::size_t done = 0;
        if constexpr (message::WrittenInOnePiece<T>) {
            try {
                while (done < values.size()) {
                    if (channel::is_long(message::written_size(values[done]))) {
                        put(values[done++], deadline);
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

    /// Throws: Empty when no item came in time; ShutDown; DecodeError and what reading the value throws: then the item
    /// is gone.
    T get(Deadline deadline = {}) {
        channel::Getting getting(*core_, deadline);
        getting.next();
        return take(getting);
    }
    std::optional<T> try_get() {
        try {
            return get(now);
        } catch (const Empty&) {
            return std::nullopt;
        }
    }
    T get_nowait() { return get(now); }

    /// One item or more, as many as are there, at most `most`. Throws: Empty, ShutDown, as get does.
    std::vector<T> get_many(std::size_t most, Deadline deadline = {}) {
        std::vector<T> values;
        if (most == 0) return values;
        if constexpr (message::WrittenInOnePiece<T>) {
            channel::Getting getting(*core_, deadline);
            while (values.size() < most && getting.next()) {
                if (getting.is_long()) {
                    values.push_back(take(getting));
                    return values;
                }
                message::Reader in(getting.bytes());
                values.push_back(message::read_directly<T>(in));
            }
            getting.commit();
        } else {
            values.push_back(get(deadline));
            while (values.size() < most) {
                auto more = try_get();
                if (!more) break;
                values.push_back(*std::move(more));
            }
        }
        return values;
    }

    /// Items in it, exact at some instant during the call.
    std::size_t qsize() const noexcept { return channel::size_of(*core_); }
    bool empty() const noexcept { return qsize() == 0; }
    bool full() const noexcept { return channel::is_full(*core_); }

    /// Says that one item that was got has been dealt with. Throws: UsageError if more are done than were put.
    void task_done() { channel::task_done(*core_); }
    /// Waits until all that was put is done. Returns false when the deadline passed.
    bool join(Deadline deadline = {}) { return channel::join(*core_, deadline); }

    /// Nothing can be put any more; get() throws ShutDown when the queue is empty, or at once.
    void shutdown(ShutdownOptions options = {}) { channel::shut_down(*core_, options.immediate); }
    bool is_shutdown() const noexcept { return channel::is_shut_down(*core_); }

    /// Memory for an item of that many bytes, to be filled and put: nothing is copied. For queues of bytes
    /// (std::vector<std::byte>, std::string or other numbers in a row).
    /// Throws: OsError when there is no memory.
    Loan loan(std::size_t bytes) { return Loan(channel::LongMessage(core_, bytes + count_size, {})); }
    /// The next item, where it lies.
    Borrowed borrow(Deadline deadline = {});

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
    iterator begin() { return iterator(this); }
    iterator end() { return {}; }

    const channel::QueuePointer& core() const noexcept { return core_; }

private:
    static constexpr std::size_t count_size = sizeof(std::size_t);

    // Kept by each thread, so that not every put allocates.
    static std::vector<std::byte>& scratch() {
        static thread_local std::vector<std::byte> buffer;
        return buffer;
    }

    template <class Fill>
    void put_long(std::size_t bytes, Deadline deadline, Fill fill) {
        channel::LongMessage message(core_, bytes, deadline);
        fill(message.bytes().data());
        message.put(bytes, deadline);
    }

    void put_bytes(std::span<const std::byte> bytes, Deadline deadline) {
        const auto copy = [&](std::byte* place) {
            if (!bytes.empty()) std::memcpy(place, bytes.data(), bytes.size());
        };
        if (channel::is_long(bytes.size())) return put_long(bytes.size(), deadline, copy);
        channel::Putting putting(*core_, bytes.size(), deadline);
        copy(putting.add(bytes.size()));
        putting.commit();
    }

    std::size_t put_some(std::span<const T> values, Deadline deadline) {
        channel::Putting putting(*core_, message::written_size(values[0]), deadline);
        std::size_t done = 0;
        for (const T& value : values) {
            const std::size_t bytes = message::written_size(value);
            std::byte* const place = channel::is_long(bytes) ? nullptr : putting.add(bytes);
            if (place == nullptr) break;
            message::write_to(place, value);
            ++done;
        }
        putting.commit();
        return done;
    }

    // The bytes are read under the lock only where that is a plain copy.
    T take(channel::Getting& getting) {
        if (getting.is_long()) {
            getting.commit();
            getting.end();
            const channel::TakenBlock block(core_, getting.block());
            return decode(getting.bytes());
        }
        if constexpr (message::WrittenInOnePiece<T>) {
            T value = decode(getting.bytes());
            getting.commit();
            return value;
        } else {
            std::vector<std::byte> bytes = std::move(scratch());
            bytes.assign(getting.bytes().begin(), getting.bytes().end());
            getting.commit();
            getting.end();
            T value = decode(bytes);
            scratch() = std::move(bytes);
            return value;
        }
    }

    static T decode(std::span<const std::byte> bytes) {
        message::Reader in(bytes);
        return message::decode<T>(in);
    }

    channel::QueuePointer core_;
};

}  // namespace chorus::multiprocessing

namespace chorus {

template <class T>
struct codec<multiprocessing::Queue<T>> {
    static void write(message::Writer& out, const multiprocessing::Queue<T>& queue) { channel::write_queue(out, queue.core()); }
    static multiprocessing::Queue<T> read(message::Reader& in) { return multiprocessing::Queue<T>(channel::read_queue(in, typeid(T))); }
};

}  // namespace chorus
