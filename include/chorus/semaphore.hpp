// Semaphore and BoundedSemaphore: at most so many holders at a time.
//
//     mp::Semaphore three(3);
//     { std::scoped_lock slot(three); … }   // acquire and release
//
// Semantics: Python's threading.Semaphore in both namespaces; get_value() and locked() as multiprocessing's.
// A handle is a light value: its copies refer to the same semaphore.
//
// Thread safety: any thread of any process that has a handle may make any call.
// Crash safety: a waiter that dies leaves no trace. A permit has no owner: permits that a dead process had
//        acquired stay taken until another process releases them, as in Python. If a process that shares the
//        semaphore overwrites it, each call throws Damaged.
#pragma once

#include <chorus/version.hpp>

#include <cstdint>
#include <memory>
#include <ostream>
#include <utility>

#include <chorus/deadline.hpp>
#include <chorus/detail/handle.hpp>
#include <chorus/detail/message/bytes.hpp>
#include <chorus/detail/sharing.hpp>

namespace chorus::inline v0::detail::sync {
struct SemaphoreState;
}

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0 {

/// What all semaphores have in common.
class SemaphoreBase {
public:
    /// Takes one permit, waits for one if none is free. Returns false if the deadline passes first.
    bool acquire(Deadline deadline = {}) const;
    /// Returns `n` permits and wakes as many waiters. Throws: UsageError for n < 1, if more than 2³¹ − 1
    /// permits would be free, or more than a bounded semaphore began with: then no permit is returned.
    void release(int n = 1) const;
    /// Free permits: a snapshot.
    int get_value() const;
    /// Whether acquire(now) would return false: a snapshot.
    bool locked() const { return get_value() == 0; }

    /// As acquire(), without a limit: for std::scoped_lock.
    void lock() const { acquire(); }
    /// As acquire(chorus::now).
    bool try_lock() const { return acquire(now); }
    /// As release().
    void unlock() const { release(); }
    /// Whether the handle refers to a semaphore: false after it was moved from. Calls throw UsageError then.
    bool valid() const noexcept { return static_cast<bool>(state_); }

    /// As Python's: `<Semaphore(value=2)>`.
    friend std::ostream& operator<<(std::ostream& out, const SemaphoreBase& semaphore);

protected:
    using State = std::shared_ptr<detail::sync::SemaphoreState>;

    explicit SemaphoreBase(State state) noexcept : state_(std::move(state)) {}
    SemaphoreBase(detail::Sharing sharing, int value, bool bounded);
    ~SemaphoreBase() = default;
    SemaphoreBase(const SemaphoreBase&) = default;
    SemaphoreBase& operator=(const SemaphoreBase&) = default;
    SemaphoreBase(SemaphoreBase&&) noexcept = default;
    SemaphoreBase& operator=(SemaphoreBase&&) noexcept = default;

    void write(detail::message::Writer& out) const;
    static State read_state(detail::message::Reader& in, bool bounded);

private:
    friend detail::Access;
    detail::Handle<detail::sync::SemaphoreState> state_;
};
std::ostream& operator<<(std::ostream& out, const SemaphoreBase& semaphore);

/// mt::Semaphore and mp::Semaphore.
/// Throws (constructor): UsageError for a value below 0; OsError if no shared memory can be had.
template <detail::Sharing sharing>
class BasicSemaphore : public SemaphoreBase {
public:
    /// With `value` free permits.
    explicit BasicSemaphore(int value = 1) : SemaphoreBase(sharing, value, false) {}

private:
    friend detail::Access;
    friend detail::HandleCodec<BasicSemaphore>;
    explicit BasicSemaphore(State state) noexcept : SemaphoreBase(std::move(state)) {}
    static BasicSemaphore read(detail::message::Reader& in) { return BasicSemaphore(read_state(in, false)); }
};

/// mt::BoundedSemaphore and mp::BoundedSemaphore: never has more free permits than it began with.
/// Throws (constructor): as BasicSemaphore's.
template <detail::Sharing sharing>
class BasicBoundedSemaphore : public SemaphoreBase {
public:
    /// With `value` free permits, which is also the limit.
    explicit BasicBoundedSemaphore(int value = 1) : SemaphoreBase(sharing, value, true) {}

private:
    friend detail::Access;
    friend detail::HandleCodec<BasicBoundedSemaphore>;
    explicit BasicBoundedSemaphore(State state) noexcept : SemaphoreBase(std::move(state)) {}
    static BasicBoundedSemaphore read(detail::message::Reader& in) {
        return BasicBoundedSemaphore(read_state(in, true));
    }
};

namespace threading {
/// A semaphore between threads.
using Semaphore = BasicSemaphore<detail::Sharing::threads>;
/// A bounded semaphore between threads.
using BoundedSemaphore = BasicBoundedSemaphore<detail::Sharing::threads>;
}  // namespace threading

namespace multiprocessing {
/// A semaphore between processes. Travels as an argument, by handle. A permit has no owner: permits that a
/// dead process had acquired stay taken.
using Semaphore = BasicSemaphore<detail::Sharing::processes>;
/// A bounded semaphore between processes. Travels as an argument, by handle.
using BoundedSemaphore = BasicBoundedSemaphore<detail::Sharing::processes>;
}  // namespace multiprocessing

template <class T>
struct codec;
template <>
struct codec<multiprocessing::Semaphore> : detail::HandleCodec<multiprocessing::Semaphore> {};
template <>
struct codec<multiprocessing::BoundedSemaphore> : detail::HandleCodec<multiprocessing::BoundedSemaphore> {};

}  // namespace chorus::inline v0

#pragma GCC visibility pop
