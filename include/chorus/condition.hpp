// Condition: wait until somebody says that something has changed.
//
//     mp::Condition changed;                      // with a lock of its own, an RLock
//     { std::scoped_lock guard(changed); while (!ready()) changed.wait(); }
//     { std::scoped_lock guard(changed); make_ready(); changed.notify(); }
//
// Semantics: Python's threading.Condition for both kinds. Who has waited longest is notified first. Handles
// are light values whose copies are the same condition.
//
// Threads: every call may come from any thread of any process that has a handle; wait and notify by who
//          holds the lock.
// Death: a waiter that died is not counted, and one that dies between its notification and its return from
//        wait() leaves it to the next one: then, and only then, one more may wake than was notified.
//        One that was written over by a process that shares it says Damaged, in any call.
#pragma once

#include <memory>
#include <ostream>

#include <chorus/lock.hpp>

namespace chorus::sync {
struct ConditionState;
}

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus {

namespace sync {

/// What conditions of threads and of processes have in common.
class BasicCondition {
public:
    /// Releases the lock, however often it was acquired, waits to be notified, and acquires it again as
    /// often.
    /// Returns false when the deadline passed first.
    /// Throws: UsageError if this thread does not hold the lock; OwnerDied, holding it, as acquire() does.
    bool wait(Deadline deadline = {});
    /// Waits until the predicate, called with the lock held, is true. Returns its last value: false when the
    /// deadline passed.
    template <class Predicate>
    bool wait_for(Predicate predicate, Deadline deadline = {}) {
        for (;;) {
            if (predicate()) return true;
            if (!wait(deadline)) return predicate();
        }
    }
    /// Wakes `n` of those who wait, or as many as there are. Throws: UsageError if this thread does not hold
    /// the lock.
    void notify(int n = 1);
    /// Wakes all who wait. Throws: UsageError without the lock.
    void notify_all();

    /// As of the lock.
    bool acquire(Deadline deadline = {});
    /// As of the lock.
    void release();
    /// As of the lock.
    bool locked() const noexcept;
    /// As of the lock.
    void recover();
    /// As acquire(), for ever.
    void lock() { acquire(); }
    /// As acquire(chorus::now).
    bool try_lock() { return acquire(now); }
    /// As release().
    void unlock() { release(); }

    /// As Python writes it.
    friend std::ostream& operator<<(std::ostream& out, const BasicCondition& condition);

    const std::shared_ptr<ConditionState>& state() const noexcept { return state_; }
    /// Its lock.
    const std::shared_ptr<LockState>& lock_state() const noexcept { return lock_; }

protected:
    BasicCondition(Home home, std::shared_ptr<LockState> lock);
    BasicCondition(std::shared_ptr<LockState> lock, std::shared_ptr<ConditionState> state) noexcept
        : lock_(std::move(lock)), state_(std::move(state)) {}
    BasicCondition(const BasicCondition&) = default;
    BasicCondition& operator=(const BasicCondition&) = default;
    ~BasicCondition() = default;

private:
    std::shared_ptr<LockState> lock_;
    std::shared_ptr<ConditionState> state_;
};
std::ostream& operator<<(std::ostream& out, const BasicCondition& condition);

void write_condition(message::Writer& out, const BasicCondition& condition);
std::shared_ptr<ConditionState> read_condition(message::Reader& in);
std::shared_ptr<LockState> read_any_lock(message::Reader& in);

/// Lets who holds a lock wait until another one says that something has changed.
/// Throws (constructor): OsError when there is no memory to share.
template <Home home>
class Condition : public BasicCondition {
public:
    Condition() : Condition(RLock<home>()) {}
    /// With this lock, which it may share with other conditions.
    explicit Condition(const Lock<home>& lock) : BasicCondition(home, lock.state()) {}
    /// The same, with an RLock: wait() gives up all its levels.
    explicit Condition(const RLock<home>& lock) : BasicCondition(home, lock.state()) {}
    /// Made by the library.
    Condition(std::shared_ptr<LockState> lock, std::shared_ptr<ConditionState> state) noexcept
        : BasicCondition(std::move(lock), std::move(state)) {}
};

}  // namespace sync

template <>
struct codec<sync::Condition<sync::Home::process>> {
    using Condition = sync::Condition<sync::Home::process>;
    static void write(message::Writer& out, const Condition& condition) {
        sync::write_condition(out, condition);
    }
    static Condition read(message::Reader& in) {
        auto lock = sync::read_any_lock(in);
        return {std::move(lock), sync::read_condition(in)};
    }
};

namespace threading {
/// A condition between threads.
using Condition = sync::Condition<sync::Home::thread>;
}  // namespace threading
namespace multiprocessing {
/// A condition between processes. Travels as an argument, by handle.
using Condition = sync::Condition<sync::Home::process>;
}  // namespace multiprocessing

}  // namespace chorus

#pragma GCC visibility pop
