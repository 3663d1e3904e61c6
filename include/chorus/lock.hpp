// Lock and RLock: one at a time.
//
//     mp::Lock lock;                        // travels as an argument, by handle
//     { std::scoped_lock guard(lock); … }
//     lock.acquire(1s);  lock.release();
//
// Semantics: Python's threading.Lock and RLock for both kinds, also where multiprocessing differs. A handle
// is a light value: its copies are the same lock, in this thread, in others, and in the processes it was
// given to. Not fair: who asks first does not always get it first.
//
// Threads: every call may come from any thread of any process that has a handle.
// Death: if the thread that holds a lock of processes ends, by whatever means, the next one to acquire
//        it gets it, and is told by OwnerDied. Who waits for it and dies is as if it had never asked.
//        One that was written over by a process that shares it says Damaged, in any call.
#pragma once

#include <chrono>
#include <memory>
#include <ostream>

#include <chorus/deadline.hpp>
#include <chorus/detail/message/bytes.hpp>
#include <chorus/detail/sync/home.hpp>
#include <chorus/detail/sync/lock_word.hpp>

namespace chorus::sync {
class LockState;
}

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus {

template <class T>
struct codec;

/// What Lock, Event and their like are, for threads and for processes at once.
namespace sync {

LockWord& word_of(LockState& state) noexcept;

/// What Lock and RLock have in common. Meets the standard's requirements TimedLockable.
class BasicLock {
public:
    /// Returns false when the deadline passed. Throws: OwnerDied, holding the lock.
    bool acquire(Deadline deadline = {});
    /// A Lock may be released by anybody, an RLock by who holds it.
    /// Throws: UsageError if nobody holds it; an RLock also if another one does.
    void release();
    /// Whether anybody holds it; an instant later that may have changed.
    bool locked() const noexcept;
    /// After OwnerDied: what the lock protects is whole again. Throws: UsageError if the lock is not held.
    void recover();

    /// As acquire(), for ever; the standard's name for it.
    void lock() { acquire(); }
    /// As acquire(chorus::now).
    bool try_lock() { return acquire(now); }
    /// As release().
    void unlock() { release(); }
    /// As acquire(duration).
    template <class Rep, class Period>
    bool try_lock_for(const std::chrono::duration<Rep, Period>& duration) {
        return acquire(duration);
    }
    /// As acquire(when).
    template <class Clock, class Duration>
    bool try_lock_until(const std::chrono::time_point<Clock, Duration>& when) {
        return acquire(when);
    }

    /// As Python's: `<Lock(owner=None)>`, `<RLock(MainProcess, 2)>`.
    friend std::ostream& operator<<(std::ostream& out, const BasicLock& lock);

    const std::shared_ptr<LockState>& state() const noexcept { return state_; }

protected:
    explicit BasicLock(std::shared_ptr<LockState> state) noexcept
        : state_(std::move(state)), word_(&word_of(*state_)) {}
    BasicLock(Home home, bool recursive);
    BasicLock(const BasicLock&) = default;
    BasicLock& operator=(const BasicLock&) = default;
    ~BasicLock() = default;

    std::shared_ptr<LockState> state_;
    LockWord* word_;
};
std::ostream& operator<<(std::ostream& out, const BasicLock& lock);

void write_lock(message::Writer& out, const BasicLock& lock);
std::shared_ptr<LockState> read_lock(message::Reader& in, bool recursive);

/// Lets one in at a time; anybody may release it. Not to be acquired twice by the same: that waits for ever.
/// Throws (constructor): OsError when there is no memory to share.
template <Home home>
class Lock : public BasicLock {
public:
    static constexpr bool recursive = false;
    Lock() : BasicLock(home, recursive) {}
    explicit Lock(std::shared_ptr<LockState> state) noexcept : BasicLock(std::move(state)) {}

    // As BasicLock's, the quick way first.
    /// As BasicLock::acquire().
    bool acquire(Deadline deadline = {}) {
        if (word_->take_if_free(known_name<home>())) [[likely]]
            return true;
        return BasicLock::acquire(deadline);
    }
    /// As BasicLock::release().
    void release() {
        if (!word_->give_back_if_unwanted(known_name<home>())) BasicLock::release();
    }
    /// As acquire(), for ever.
    void lock() { acquire(); }
    /// As acquire(chorus::now).
    bool try_lock() { return acquire(now); }
    /// As release().
    void unlock() { release(); }
};

/// May be acquired again by who holds it, and is free when it was released as often.
/// Throws (constructor): OsError when there is no memory to share.
template <Home home>
class RLock : public BasicLock {
public:
    static constexpr bool recursive = true;
    RLock() : BasicLock(home, recursive) {}
    explicit RLock(std::shared_ptr<LockState> state) noexcept : BasicLock(std::move(state)) {}
};

template <class Lock>
struct LockCodec {
    static void write(message::Writer& out, const Lock& lock) { write_lock(out, lock); }
    static Lock read(message::Reader& in) { return Lock(read_lock(in, Lock::recursive)); }
};

}  // namespace sync

template <>
struct codec<sync::Lock<sync::Home::process>> : sync::LockCodec<sync::Lock<sync::Home::process>> {};
template <>
struct codec<sync::RLock<sync::Home::process>> : sync::LockCodec<sync::RLock<sync::Home::process>> {};

namespace threading {
/// A lock between threads. A thread that ends with it leaves it locked, as in Python.
using Lock = sync::Lock<sync::Home::thread>;
/// A recursive lock between threads.
using RLock = sync::RLock<sync::Home::thread>;
}  // namespace threading

namespace multiprocessing {
/// A lock between processes. Travels as an argument, by handle; its holder's death is told by OwnerDied.
using Lock = sync::Lock<sync::Home::process>;
/// A recursive lock between processes. Travels as an argument, by handle; its holder's death is told by
/// OwnerDied.
using RLock = sync::RLock<sync::Home::process>;
}  // namespace multiprocessing

}  // namespace chorus

#pragma GCC visibility pop
