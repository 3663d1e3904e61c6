// Condition: wait for a change to what a lock protects.
//
//     mp::Condition changed;                      // with a lock of its own, an RLock
//     { std::scoped_lock guard(changed); while (!ready()) changed.wait(); }
//     { std::scoped_lock guard(changed); make_ready(); changed.notify(); }
//
// Semantics: Python's threading.Condition in both namespaces. Waiters are notified in the order in which
// they began to wait. A handle is a light value: its copies refer to the same condition.
//
// Thread safety: any thread of any process that has a handle may make any call; wait() and notify() require
//        that the calling thread holds the lock.
// Crash safety: a waiter that died is not counted. A waiter that dies between its notification and its
//        return from wait() passes the notification on: then, and only then, one more waiter may wake than
//        was notified. If a process that shares the condition overwrites it, each call throws Damaged.
#pragma once

#include <chorus/version.hpp>

#include <memory>
#include <ostream>
#include <utility>

#include <chorus/lock.hpp>

namespace chorus::inline v0::detail::sync {
struct ConditionState;
}

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0 {

/// What conditions between threads and between processes have in common.
class ConditionBase {
public:
    /// Releases the lock, however often it was acquired, waits for a notification, and acquires the lock
    /// again as often. Returns false if the deadline passes first.
    /// Throws: UsageError if this thread does not hold the lock; OwnerDied, holding it, as acquire() does.
    bool wait(Deadline deadline = {}) const;
    /// Waits until the predicate, called with the lock held, returns true. Returns its last value: false if
    /// the deadline passes first.
    template <class Predicate>
    bool wait_for(Predicate predicate, Deadline deadline = {}) const {
        for (;;) {
            if (predicate()) return true;
            if (!wait(deadline)) return predicate();
        }
    }
    /// Wakes `n` waiters, or all if there are fewer. Throws: UsageError if this thread does not hold the
    /// lock.
    void notify(int n = 1) const;
    /// Wakes all waiters. Throws: UsageError if this thread does not hold the lock.
    void notify_all() const;

    /// As acquire() of the lock.
    bool acquire(Deadline deadline = {}) const;
    /// As release() of the lock.
    void release() const;
    /// As locked() of the lock.
    bool locked() const;
    /// As recover() of the lock.
    void recover() const;
    /// As acquire(), without a limit.
    void lock() const { acquire(); }
    /// As acquire(chorus::now).
    bool try_lock() const { return acquire(now); }
    /// As release().
    void unlock() const { release(); }
    /// Whether the handle refers to a condition: false after it was moved from. Calls throw UsageError then.
    bool valid() const noexcept { return static_cast<bool>(state_); }

    /// As Python's: `<Condition(<RLock(None, 0)>, 0)>`.
    friend std::ostream& operator<<(std::ostream& out, const ConditionBase& condition);

protected:
    using State = std::shared_ptr<detail::sync::ConditionState>;
    using Lock = std::shared_ptr<detail::sync::LockState>;

    ConditionBase(detail::Sharing sharing, Lock lock);
    ConditionBase(Lock lock, State state) noexcept : lock_(std::move(lock)), state_(std::move(state)) {}
    ~ConditionBase() = default;
    ConditionBase(const ConditionBase&) = default;
    ConditionBase& operator=(const ConditionBase&) = default;
    ConditionBase(ConditionBase&&) noexcept = default;
    ConditionBase& operator=(ConditionBase&&) noexcept = default;

    void write(detail::message::Writer& out) const;
    static std::pair<Lock, State> read_states(detail::message::Reader& in);

private:
    friend detail::Access;
    class OwnLock;
    detail::Handle<detail::sync::LockState> lock_;
    detail::Handle<detail::sync::ConditionState> state_;
};
std::ostream& operator<<(std::ostream& out, const ConditionBase& condition);

/// mt::Condition and mp::Condition.
/// Throws (constructor): OsError if no shared memory can be had.
template <detail::Sharing sharing>
class BasicCondition : public ConditionBase {
public:
    /// With an RLock of its own.
    BasicCondition() : BasicCondition(BasicRLock<sharing>()) {}
    /// With this lock, which other conditions may share.
    explicit BasicCondition(const BasicLock<sharing>& lock)
        : ConditionBase(sharing, detail::Access::state(lock)) {}
    /// The same with an RLock: wait() releases all its levels.
    explicit BasicCondition(const BasicRLock<sharing>& lock)
        : ConditionBase(sharing, detail::Access::state(lock)) {}

private:
    friend detail::Access;
    friend detail::HandleCodec<BasicCondition>;
    explicit BasicCondition(std::pair<Lock, State> states) noexcept
        : ConditionBase(std::move(states.first), std::move(states.second)) {}
    static BasicCondition read(detail::message::Reader& in) { return BasicCondition(read_states(in)); }
};

namespace threading {
/// A condition between threads.
using Condition = BasicCondition<detail::Sharing::threads>;
}  // namespace threading
namespace multiprocessing {
/// A condition between processes. Travels as an argument, by handle.
using Condition = BasicCondition<detail::Sharing::processes>;
}  // namespace multiprocessing

template <>
struct codec<multiprocessing::Condition> : detail::HandleCodec<multiprocessing::Condition> {};

}  // namespace chorus::inline v0

#pragma GCC visibility pop
