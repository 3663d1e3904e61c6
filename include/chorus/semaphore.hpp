// Semaphore and BoundedSemaphore: so many at a time.
//
//     mp::Semaphore three(3);
//     { std::scoped_lock slot(three); … }   // acquire and release
//
// Semantics: Python's threading.Semaphore for both kinds; get_value and locked as multiprocessing's. Handles
// are light values whose copies are the same semaphore.
//
// Threads: every call may come from any thread of any process that has a handle.
// Death: who waits and dies is as if it had never asked. A permit has no owner: what a dead process had
//        acquired stays taken until somebody releases it, as in Python.
//        One that was written over by a process that shares it says Damaged, in any call.
#pragma once

#include <cstdint>
#include <memory>
#include <ostream>

#include <chorus/deadline.hpp>
#include <chorus/detail/message/bytes.hpp>
#include <chorus/detail/sync/home.hpp>

namespace chorus::sync {
struct SemaphoreState;
}

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus {

template <class T>
struct codec;

namespace sync {

/// What semaphores of threads and of processes have in common.
class BasicSemaphore {
public:
    /// Takes one permit. Returns false when the deadline passed.
    bool acquire(Deadline deadline = {});
    /// Gives back `n` permits, and wakes as many. Throws: UsageError for n < 1, and if there would be more
    /// than 2³¹ − 1 permits, or more than a bounded one began with: then none is given back.
    void release(int n = 1);
    /// Free permits; an instant later that may have changed.
    int get_value() const noexcept;
    /// Whether acquire(now) would return false.
    bool locked() const noexcept { return get_value() == 0; }

    /// As acquire(), for ever; for std::scoped_lock.
    void lock() { acquire(); }
    /// As acquire(chorus::now).
    bool try_lock() { return acquire(now); }
    /// As release().
    void unlock() { release(); }

    /// As Python's: `<Semaphore(value=2)>`.
    friend std::ostream& operator<<(std::ostream& out, const BasicSemaphore& semaphore);

    const std::shared_ptr<SemaphoreState>& state() const noexcept { return state_; }

protected:
    explicit BasicSemaphore(std::shared_ptr<SemaphoreState> state) noexcept : state_(std::move(state)) {}
    BasicSemaphore(Home home, int value, bool bounded);
    BasicSemaphore(const BasicSemaphore&) = default;
    BasicSemaphore& operator=(const BasicSemaphore&) = default;
    ~BasicSemaphore() = default;

    std::shared_ptr<SemaphoreState> state_;
};
std::ostream& operator<<(std::ostream& out, const BasicSemaphore& semaphore);

void write_semaphore(message::Writer& out, const BasicSemaphore& semaphore);
std::shared_ptr<SemaphoreState> read_semaphore(message::Reader& in, bool bounded);

/// Lets so many in at once.
/// Throws (constructor): UsageError for a value below 0, OsError when there is no memory to share.
template <Home home>
class Semaphore : public BasicSemaphore {
public:
    static constexpr bool bounded = false;
    /// With so many permits. Throws: UsageError if there are fewer than 0; OsError when there is no memory to
    /// share.
    explicit Semaphore(int value = 1) : BasicSemaphore(home, value, bounded) {}
    explicit Semaphore(std::shared_ptr<SemaphoreState> state) noexcept : BasicSemaphore(std::move(state)) {}
};

/// Never has more permits than it began with: one release too many is an error.
template <Home home>
class BoundedSemaphore : public BasicSemaphore {
public:
    static constexpr bool bounded = true;
    /// With so many permits, and never more. Throws: as Semaphore.
    explicit BoundedSemaphore(int value = 1) : BasicSemaphore(home, value, bounded) {}
    explicit BoundedSemaphore(std::shared_ptr<SemaphoreState> state) noexcept
        : BasicSemaphore(std::move(state)) {}
};

template <class Semaphore>
struct SemaphoreCodec {
    static void write(message::Writer& out, const Semaphore& semaphore) { write_semaphore(out, semaphore); }
    static Semaphore read(message::Reader& in) { return Semaphore(read_semaphore(in, Semaphore::bounded)); }
};

}  // namespace sync

template <>
struct codec<sync::Semaphore<sync::Home::process>>
    : sync::SemaphoreCodec<sync::Semaphore<sync::Home::process>> {};
template <>
struct codec<sync::BoundedSemaphore<sync::Home::process>>
    : sync::SemaphoreCodec<sync::BoundedSemaphore<sync::Home::process>> {};

namespace threading {
/// A semaphore between threads.
using Semaphore = sync::Semaphore<sync::Home::thread>;
/// A bounded semaphore between threads.
using BoundedSemaphore = sync::BoundedSemaphore<sync::Home::thread>;
}  // namespace threading

namespace multiprocessing {
/// A semaphore between processes. Travels as an argument, by handle. A permit has no owner: what the dead had
/// taken stays taken.
using Semaphore = sync::Semaphore<sync::Home::process>;
/// A bounded semaphore between processes. Travels as an argument, by handle.
using BoundedSemaphore = sync::BoundedSemaphore<sync::Home::process>;
}  // namespace multiprocessing

}  // namespace chorus

#pragma GCC visibility pop
