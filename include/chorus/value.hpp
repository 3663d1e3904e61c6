// Value and Array: numbers and plain structs that several processes see, each with its lock.
//
//     mp::Value<int> n(0);        { std::scoped_lock guard(n.get_lock()); n.value() += 1; }
//     mp::Array<double> a(1'000'000);  std::span<double> all = a;
//     mp::Array<int> b{1, 2, 3};  for (int& x : b) …
//     mp::Value<int> m(0, lock);  // several under one lock
//
// Semantics: Python's multiprocessing.Value and Array; in mt:: the same with the threads of this process. The
// lock is an RLock, or what was given. Handles are light values whose copies are the same storage and the
// same lock. Storage and what may lie in it: see RawValue and RawArray (chorus/raw_value.hpp), which
// these are and which they become where one is wanted; they do without the lock then.
//
// The lock is taken by who takes it: value(), operator[] and spans go straight to memory. So not only
// `n.value() += 1` needs it, as in Python, but reading and writing while others write does too, which
// Python's do by themselves.
//
// Threads: every call may come from any thread of any process that has a handle; one at a time for assignment
//          to a handle.
// Death: if the holder of the lock dies, the next one to acquire it is told by OwnerDied and holds it, as
//        Lock says; the elements are as the dead one left them. They go with their last holder.
#pragma once

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <ranges>
#include <type_traits>
#include <utility>

#include <chorus/condition.hpp>
#include <chorus/deadline.hpp>
#include <chorus/detail/sync/home.hpp>
#include <chorus/lock.hpp>
#include <chorus/raw_value.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus {

namespace sync {

/// A Lock or an RLock, whichever it was made from: the same lock, by handle.
template <Home home>
class AnyLock : public BasicLock {
public:
    /// The same lock.
    AnyLock(const Lock<home>& lock) noexcept : BasicLock(lock) {}
    /// The same lock.
    AnyLock(const RLock<home>& lock) noexcept : BasicLock(lock) {}
    explicit AnyLock(std::shared_ptr<LockState> state) noexcept : BasicLock(std::move(state)) {}
};

/// What Value and Array have in common.
template <Home home>
class WithLock {
public:
    /// From a handle that is const too: it is the lock that changes, not the handle.
    AnyLock<home>& get_lock() const noexcept { return lock_; }

    /// As of the lock, so that `std::scoped_lock guard(n)` does as well.
    bool acquire(Deadline deadline = {}) const { return lock_.acquire(deadline); }
    /// As of the lock.
    void release() const { lock_.release(); }
    /// As of the lock; the standard's name for acquire().
    void lock() const { lock_.lock(); }
    /// As acquire(chorus::now).
    bool try_lock() const { return lock_.try_lock(); }
    /// As release().
    void unlock() const { lock_.unlock(); }

protected:
    explicit WithLock(AnyLock<home> lock) noexcept : lock_(std::move(lock)) {}

private:
    mutable AnyLock<home> lock_;
};

/// One value and its lock. A handle: its copies, here and in other processes, are the same storage and the
/// same lock. Throws (constructors): OsError when there is no memory to share.
template <class T, Home home>
class Value : public memory::RawValue<T, home>, public WithLock<home> {
public:
    using Raw = memory::RawValue<T, home>;

    /// A number is 0, a struct as it begins.
    Value() : Value(Raw()) {}
    /// With this value and an RLock of its own.
    explicit Value(const T& value) : Value(Raw(value)) {}
    /// With this value, under that lock, which others may share.
    Value(const T& value, AnyLock<home> lock) : Value(Raw(value), std::move(lock)) {}
    /// Python's sharedctypes.synchronized(): the same storage, with a lock.
    explicit Value(Raw raw) : Value(std::move(raw), RLock<home>()) {}
    Value(Raw raw, AnyLock<home> lock) noexcept : Raw(std::move(raw)), WithLock<home>(std::move(lock)) {}

    /// The same storage without the lock.
    const Raw& get_obj() const noexcept { return *this; }
};

/// Values in a row and their lock. A handle, as Value; it converts to std::span.
/// Throws (constructors): OsError with the numbers when there is no such memory; UsageError when there can be
/// none.
template <class T, Home home>
class Array : public memory::RawArray<T, home>, public WithLock<home> {
public:
    using Raw = memory::RawArray<T, home>;

    /// No elements.
    Array() : Array(Raw()) {}
    /// All bytes are zero.
    explicit Array(std::size_t size) : Array(Raw(size)) {}
    /// All bytes are zero; under that lock.
    Array(std::size_t size, AnyLock<home> lock) : Array(Raw(size), std::move(lock)) {}
    /// Of these values.
    Array(std::initializer_list<T> values) : Array(Raw(values)) {}
    /// Of these values, under that lock.
    Array(std::initializer_list<T> values, AnyLock<home> lock) : Array(Raw(values), std::move(lock)) {}
    /// Of the values from `first` to `last`.
    template <std::input_iterator Iterator, std::sentinel_for<Iterator> End>
        requires std::constructible_from<Raw, Iterator, End>
    Array(Iterator first, End last) : Array(Raw(std::move(first), std::move(last))) {}
    /// Of the values of a range.
    template <std::ranges::input_range Range>
        requires(std::constructible_from<Raw, Range> && !std::derived_from<std::remove_cvref_t<Range>, Raw>)
    explicit Array(Range&& values) : Array(Raw(std::forward<Range>(values))) {}
    /// Of the values of a range, under that lock.
    template <std::ranges::input_range Range>
        requires(std::constructible_from<Raw, Range> && !std::derived_from<std::remove_cvref_t<Range>, Raw>)
    Array(Range&& values, AnyLock<home> lock) : Array(Raw(std::forward<Range>(values)), std::move(lock)) {}
    /// Python's sharedctypes.synchronized(): the same storage, with a lock.
    explicit Array(Raw raw) : Array(std::move(raw), RLock<home>()) {}
    Array(Raw raw, AnyLock<home> lock) noexcept : Raw(std::move(raw)), WithLock<home>(std::move(lock)) {}

    /// The same storage without the lock.
    const Raw& get_obj() const noexcept { return *this; }
};

/// Value and Array: the storage, then the lock.
template <class Shared>
struct SharedCodec {
    static void write(message::Writer& out, const Shared& shared) {
        codec<typename Shared::Raw>::write(out, shared);
        write_lock(out, shared.get_lock());
    }
    static Shared read(message::Reader& in) {
        auto raw = codec<typename Shared::Raw>::read(in);
        return {std::move(raw), AnyLock<Home::process>(read_any_lock(in))};
    }
};

}  // namespace sync

template <>
struct codec<sync::AnyLock<sync::Home::process>> {
    using AnyLock = sync::AnyLock<sync::Home::process>;
    static void write(message::Writer& out, const AnyLock& lock) { sync::write_lock(out, lock); }
    static AnyLock read(message::Reader& in) { return AnyLock(sync::read_any_lock(in)); }
};
template <class T>
struct codec<sync::Value<T, sync::Home::process>> : sync::SharedCodec<sync::Value<T, sync::Home::process>> {};
template <class T>
struct codec<sync::Array<T, sync::Home::process>> : sync::SharedCodec<sync::Array<T, sync::Home::process>> {};

namespace threading {
/// A value and its lock, between threads: sync::Value.
template <class T>
using Value = sync::Value<T, sync::Home::thread>;
/// An array and its lock, between threads: sync::Array.
template <class T>
using Array = sync::Array<T, sync::Home::thread>;
}  // namespace threading

namespace multiprocessing {
/// A value and its lock, between processes: sync::Value. Travels as an argument, by handle.
template <class T>
using Value = sync::Value<T, sync::Home::process>;
/// An array and its lock, between processes: sync::Array. Travels as an argument, by handle.
template <class T>
using Array = sync::Array<T, sync::Home::process>;
}  // namespace multiprocessing

}  // namespace chorus

#pragma GCC visibility pop
