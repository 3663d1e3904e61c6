// Lock and RLock: mutual exclusion between threads or between processes.
//
//     mp::Lock lock;                        // travels as an argument, by handle
//     { std::scoped_lock guard(lock); … }
//     lock.acquire(1s);  lock.release();
//
// Semantics: Python's threading.Lock and RLock in both namespaces, also where multiprocessing differs. A
// handle is a light value: its copies refer to the same lock, in this thread, in other threads, and in the
// processes that it was passed to. Locks are not fair: waiters do not acquire in the order of their calls.
//
// Thread safety: any thread of any process that has a handle may make any call.
// Crash safety: if the thread or process that holds an mp:: lock ends, however it ends, the next acquire()
//        gets the lock and throws OwnerDied. A waiter that dies leaves no trace. If a process that shares
//        the lock overwrites it, each call throws Damaged.
#pragma once

#include <chorus/version.hpp>

#include <chrono>
#include <memory>
#include <ostream>
#include <utility>

#include <chorus/deadline.hpp>
#include <chorus/detail/handle.hpp>
#include <chorus/detail/message/bytes.hpp>
#include <chorus/detail/sharing.hpp>
#include <chorus/detail/sync/lock_word.hpp>

namespace chorus::inline v0::detail::sync {
class LockState;
}

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0 {

/// What all locks have in common. Meets the standard's requirements TimedLockable.
class LockBase {
public:
    /// Waits until the lock is free and acquires it. Returns false if the deadline passes first.
    /// Throws: OwnerDied, holding the lock; Damaged.
    bool acquire(Deadline deadline = {}) const;
    /// Any thread may release a Lock; only its owner an RLock.
    /// Throws: UsageError if the lock is not held, or an RLock is held by another thread.
    void release() const;
    /// Whether the lock is held: a snapshot.
    bool locked() const;
    /// Call after OwnerDied, once what the lock protects is consistent again. Throws: UsageError if the lock
    /// is not held.
    void recover() const;
    /// Whether the handle refers to a lock: false after it was moved from. Calls throw UsageError then.
    bool valid() const noexcept { return static_cast<bool>(state_); }

    /// As acquire(), without a limit: the standard's name.
    void lock() const { acquire(); }
    /// As acquire(chorus::now).
    bool try_lock() const { return acquire(now); }
    /// As release().
    void unlock() const { release(); }
    /// As acquire(duration).
    template <class Rep, class Period>
    bool try_lock_for(const std::chrono::duration<Rep, Period>& duration) const {
        return acquire(duration);
    }
    /// As acquire(when).
    template <class Clock, class Duration>
    bool try_lock_until(const std::chrono::time_point<Clock, Duration>& when) const {
        return acquire(when);
    }

    /// As Python's: `<Lock(owner=None)>`, `<RLock(MainProcess, 2)>`.
    friend std::ostream& operator<<(std::ostream& out, const LockBase& lock);

protected:
    using State = std::shared_ptr<detail::sync::LockState>;

    explicit LockBase(State state) noexcept
        : state_(std::move(state)), word_(&detail::sync::word_of(*state_.shared())) {}
    LockBase(detail::Sharing sharing, bool recursive);
    LockBase(const LockBase&) = default;
    LockBase& operator=(const LockBase&) = default;
    LockBase(LockBase&& other) noexcept
        : state_(std::move(other.state_)), word_(std::exchange(other.word_, &detail::sync::no_lock)) {}
    LockBase& operator=(LockBase&& other) noexcept {
        state_ = std::move(other.state_);
        word_ = std::exchange(other.word_, &detail::sync::no_lock);
        return *this;
    }
    ~LockBase() = default;

    void write(detail::message::Writer& out) const;
    static State read_state(detail::message::Reader& in);
    static State read_state(detail::message::Reader& in, bool recursive);

    detail::Handle<detail::sync::LockState> state_;
    detail::sync::LockWord* word_;  ///< the state's; of an empty handle one that nothing can acquire

private:
    friend detail::Access;
};
std::ostream& operator<<(std::ostream& out, const LockBase& lock);

/// mt::Lock and mp::Lock. Not recursive: a thread that acquires it twice waits for itself, indefinitely.
/// Throws (constructor): OsError if no shared memory can be had.
template <detail::Sharing sharing>
class BasicLock : public LockBase {
public:
    /// A free lock.
    BasicLock() : LockBase(sharing, false) {}

    // The uncontended case is one instruction, inlined into the caller.
    /// As LockBase::acquire().
    bool acquire(Deadline deadline = {}) const {
        if (word_->take_if_free(detail::sync::known_name<sharing>())) [[likely]]
            return true;
        return LockBase::acquire(deadline);
    }
    /// As LockBase::release().
    void release() const {
        if (!word_->give_back_if_unwanted(detail::sync::known_name<sharing>())) LockBase::release();
    }
    /// As acquire(), without a limit.
    void lock() const { acquire(); }
    /// As acquire(chorus::now).
    bool try_lock() const { return acquire(now); }
    /// As release().
    void unlock() const { release(); }

private:
    friend detail::Access;
    friend detail::HandleCodec<BasicLock>;
    explicit BasicLock(State state) noexcept : LockBase(std::move(state)) {}
    static BasicLock read(detail::message::Reader& in) { return BasicLock(read_state(in, false)); }
};

/// mt::RLock and mp::RLock. Recursive: its owner may acquire it again, and it is free once it was released
/// as often.
/// Throws (constructor): OsError if no shared memory can be had.
template <detail::Sharing sharing>
class BasicRLock : public LockBase {
public:
    /// A free lock.
    BasicRLock() : LockBase(sharing, true) {}

private:
    friend detail::Access;
    friend detail::HandleCodec<BasicRLock>;
    explicit BasicRLock(State state) noexcept : LockBase(std::move(state)) {}
    static BasicRLock read(detail::message::Reader& in) { return BasicRLock(read_state(in, true)); }
};

namespace threading {
/// A lock between threads. A thread that ends while it holds the lock leaves it locked, as in Python.
using Lock = BasicLock<detail::Sharing::threads>;
/// A recursive lock between threads.
using RLock = BasicRLock<detail::Sharing::threads>;
}  // namespace threading

namespace multiprocessing {
/// A lock between processes. Travels as an argument, by handle. Its owner's death is reported by OwnerDied.
using Lock = BasicLock<detail::Sharing::processes>;
/// A recursive lock between processes. Travels as an argument, by handle. Its owner's death is reported by
/// OwnerDied.
using RLock = BasicRLock<detail::Sharing::processes>;
}  // namespace multiprocessing

template <class T>
struct codec;
template <>
struct codec<multiprocessing::Lock> : detail::HandleCodec<multiprocessing::Lock> {};
template <>
struct codec<multiprocessing::RLock> : detail::HandleCodec<multiprocessing::RLock> {};

}  // namespace chorus::inline v0

#pragma GCC visibility pop
