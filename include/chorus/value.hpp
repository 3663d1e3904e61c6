// Value and Array, RawValue and RawArray: numbers and plain structs that threads or processes share, with a
// lock or without one.
//
//     mp::Value<int> n(0);        { std::scoped_lock guard(n.get_lock()); n.value() += 1; }
//     mp::Array<double> a(1'000'000);  std::span<double> all = a;
//     mp::Array<int> b{1, 2, 3};  for (int& x : b) …
//     mp::Value<int> m(0, lock);  // several under one lock
//     mp::RawValue<int> r(7);     r.value() = 8;      // no lock
//
// Semantics: Python's multiprocessing.Value, Array, RawValue and RawArray; in mt:: the same between the
// threads of this process. A handle is a light value: its copies refer to the same storage and lock. copy()
// makes storage of its own. Which types can be shared: detail/memory/shareable.hpp. Value and Array convert
// to RawValue and RawArray, which have no lock.
//
// The lock is an RLock, or what the constructor is given. Nothing acquires it implicitly: value(), operator[]
// and spans access memory directly. So not only `n.value() += 1` needs it, as in Python, but also reading
// while another thread or process writes, which Python's accessors protect themselves. Accesses are as
// between threads in C++: not atomic; use the lock, or std::atomic_ref. Memory is reserved at creation.
// References, pointers and spans into it are valid as long as a handle exists.
//
// Thread safety: any thread of any process that has a handle may make any call; assignment to one handle, one
//        thread at a time.
// Crash safety: if a process dies, by whatever cause, the others keep the storage, with the elements as the
//        dead process left them; it is freed with its last handle. If it held the lock, the next acquire()
//        throws OwnerDied and holds the lock, as Lock says.
#pragma once

#include <chorus/version.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <new>
#include <ranges>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <chorus/deadline.hpp>
#include <chorus/detail/memory/cells.hpp>
#include <chorus/detail/message/bytes.hpp>
#include <chorus/detail/sharing.hpp>
#include <chorus/lock.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0 {

/// mt::RawValue and mp::RawValue: one value, without a lock.
/// Throws (constructors): OsError if no shared memory can be had.
template <class T, detail::Sharing sharing>
class BasicRawValue {
public:
    /// Value-initialised: a number is 0.
    BasicRawValue() : BasicRawValue(T{}) {}
    /// With this value.
    explicit BasicRawValue(const T& value)
        : cells_(detail::memory::make_cells(sharing, detail::memory::kind_of<T>(false), 1)) {
        new (cells_.first())
            std::remove_reference_t<T>(value);  // so that kind_of alone says that references cannot be shared
    }

    /// The value itself, in shared memory. Throws: UsageError if the handle was moved from.
    T& value() const { return *std::launder(reinterpret_cast<T*>(cells_.checked_first())); }
    /// A new value in storage of its own, equal to this one now.
    BasicRawValue copy() const { return BasicRawValue(value()); }
    /// Whether the handle refers to storage: false after it was moved from.
    bool valid() const noexcept { return cells_.first() != nullptr; }

protected:
    explicit BasicRawValue(detail::memory::Cells cells) noexcept : cells_(std::move(cells)) {}
    void write(detail::message::Writer& out) const { detail::memory::write_cells(out, cells_); }
    static BasicRawValue read(detail::message::Reader& in) {
        return BasicRawValue(detail::memory::read_cells(in, detail::memory::kind_of<T>(false)));
    }

private:
    friend detail::Access;
    friend detail::HandleCodec<BasicRawValue>;
    detail::memory::Cells cells_;
};

/// mt::RawArray and mp::RawArray: a fixed number of values in a row, without a lock. Converts to std::span.
/// Throws (constructors): OsError with the numbers if the machine has not that much memory; UsageError if no
/// memory could be that large.
template <class T, detail::Sharing sharing>
class BasicRawArray {
public:
    using value_type = T;

    /// No elements.
    BasicRawArray() : BasicRawArray(std::size_t{0}) {}
    /// `size` elements, all bytes zero.
    explicit BasicRawArray(std::size_t size)
        : cells_(detail::memory::make_cells(sharing, detail::memory::kind_of<T>(true), size)) {}
    /// These values.
    BasicRawArray(std::initializer_list<T> values) : BasicRawArray(values.begin(), values.end()) {}
    /// The values from `first` to `last`.
    template <std::input_iterator Iterator, std::sentinel_for<Iterator> End>
        requires std::convertible_to<std::iter_reference_t<Iterator>, T>
    BasicRawArray(Iterator first, End last)
        : BasicRawArray(std::ranges::subrange(std::move(first), std::move(last))) {}
    /// The values of a range.
    template <std::ranges::input_range Range>
        requires(std::convertible_to<std::ranges::range_reference_t<Range>, T> &&
                 !std::derived_from<std::remove_cvref_t<Range>, BasicRawArray>)
    explicit BasicRawArray(Range&& values) : BasicRawArray(count_and_fill(values)) {}

    /// The number of elements, fixed at creation; 0 after the handle was moved from.
    std::size_t size() const noexcept { return cells_.count(); }
    /// Whether there are none.
    bool empty() const noexcept { return size() == 0; }
    /// The first element; all others follow it. Null after the handle was moved from.
    T* data() const noexcept { return std::launder(reinterpret_cast<T*>(cells_.first())); }
    /// The first element.
    T* begin() const noexcept { return data(); }
    /// One past the last element.
    T* end() const noexcept { return data() + size(); }

    /// Requires: index < size().
    T& operator[](std::size_t index) const noexcept { return data()[index]; }
    /// Throws: UsageError if index >= size().
    T& at(std::size_t index) const {
        if (index >= size()) detail::memory::refuse_index(index, size());
        return data()[index];
    }
    /// A new array in storage of its own, equal to this one now.
    BasicRawArray copy() const { return BasicRawArray(begin(), end()); }
    /// Whether the handle refers to storage: false after it was moved from.
    bool valid() const noexcept { return cells_.first() != nullptr; }

protected:
    explicit BasicRawArray(detail::memory::Cells cells) noexcept : cells_(std::move(cells)) {}
    void write(detail::message::Writer& out) const { detail::memory::write_cells(out, cells_); }
    static BasicRawArray read(detail::message::Reader& in) {
        return BasicRawArray(detail::memory::read_cells(in, detail::memory::kind_of<T>(true)));
    }

private:
    friend detail::Access;
    friend detail::HandleCodec<BasicRawArray>;

    // A range that can be traversed only once is kept until it is counted.
    template <class Range>
    static BasicRawArray count_and_fill(Range& values) {
        if constexpr (std::ranges::forward_range<Range>) {
            BasicRawArray array(static_cast<std::size_t>(std::ranges::distance(values)));
            std::ranges::transform(values, array.begin(), [](auto&& value) { return static_cast<T>(value); });
            return array;
        } else {
            std::vector<T> kept;
            for (auto&& value : values) kept.push_back(static_cast<T>(value));
            return BasicRawArray(kept.begin(), kept.end());
        }
    }

    detail::memory::Cells cells_;
};

/// A Lock or an RLock, whichever it was made from: the same lock, by handle.
template <detail::Sharing sharing>
class AnyLock : public LockBase {
public:
    /// The same lock.
    AnyLock(const BasicLock<sharing>& lock) noexcept : LockBase(lock) {}
    /// The same lock.
    AnyLock(const BasicRLock<sharing>& lock) noexcept : LockBase(lock) {}

private:
    friend detail::Access;
    friend detail::HandleCodec<AnyLock>;
    explicit AnyLock(State state) noexcept : LockBase(std::move(state)) {}
    static AnyLock read(detail::message::Reader& in) { return AnyLock(read_state(in)); }
};

/// The lock of a Value or an Array. Python's name.
template <detail::Sharing sharing>
class Synchronized {
public:
    /// The lock.
    const AnyLock<sharing>& get_lock() const noexcept { return lock_; }

    /// As acquire() of the lock, so that `std::scoped_lock guard(n)` works too.
    bool acquire(Deadline deadline = {}) const { return lock_.acquire(deadline); }
    /// As release() of the lock.
    void release() const { lock_.release(); }
    /// As acquire(), without a limit.
    void lock() const { lock_.lock(); }
    /// As acquire(chorus::now).
    bool try_lock() const { return lock_.try_lock(); }
    /// As release().
    void unlock() const { lock_.unlock(); }

protected:
    explicit Synchronized(AnyLock<sharing> lock) noexcept : lock_(std::move(lock)) {}

private:
    AnyLock<sharing> lock_;
};

/// mt::Value and mp::Value: one value and its lock.
/// Throws (constructors): OsError if no shared memory can be had.
template <class T, detail::Sharing sharing>
class BasicValue : public BasicRawValue<T, sharing>, public Synchronized<sharing> {
    using Raw = BasicRawValue<T, sharing>;

public:
    /// Value-initialised: a number is 0.
    BasicValue() : BasicValue(Raw()) {}
    /// With this value and an RLock of its own.
    explicit BasicValue(const T& value) : BasicValue(Raw(value)) {}
    /// With this value under this lock, which others may share.
    BasicValue(const T& value, AnyLock<sharing> lock) : BasicValue(Raw(value), std::move(lock)) {}
    /// Python's sharedctypes.synchronized(): the same storage, with an RLock of its own.
    explicit BasicValue(Raw raw) : BasicValue(std::move(raw), BasicRLock<sharing>()) {}
    /// The same storage under this lock.
    BasicValue(Raw raw, AnyLock<sharing> lock) noexcept
        : Raw(std::move(raw)), Synchronized<sharing>(std::move(lock)) {}

    /// The same storage without the lock.
    const Raw& get_obj() const noexcept { return *this; }
};

/// mt::Array and mp::Array: values in a row and their lock. Converts to std::span.
/// Throws (constructors): as BasicRawArray's.
template <class T, detail::Sharing sharing>
class BasicArray : public BasicRawArray<T, sharing>, public Synchronized<sharing> {
    using Raw = BasicRawArray<T, sharing>;

public:
    /// No elements.
    BasicArray() : BasicArray(Raw()) {}
    /// `size` elements, all bytes zero.
    explicit BasicArray(std::size_t size) : BasicArray(Raw(size)) {}
    /// The same under this lock.
    BasicArray(std::size_t size, AnyLock<sharing> lock) : BasicArray(Raw(size), std::move(lock)) {}
    /// These values.
    BasicArray(std::initializer_list<T> values) : BasicArray(Raw(values)) {}
    /// The same under this lock.
    BasicArray(std::initializer_list<T> values, AnyLock<sharing> lock)
        : BasicArray(Raw(values), std::move(lock)) {}
    /// The values from `first` to `last`.
    template <std::input_iterator Iterator, std::sentinel_for<Iterator> End>
        requires std::constructible_from<Raw, Iterator, End>
    BasicArray(Iterator first, End last) : BasicArray(Raw(std::move(first), std::move(last))) {}
    /// The values of a range.
    template <std::ranges::input_range Range>
        requires(std::constructible_from<Raw, Range> && !std::derived_from<std::remove_cvref_t<Range>, Raw>)
    explicit BasicArray(Range&& values) : BasicArray(Raw(std::forward<Range>(values))) {}
    /// The same under this lock.
    template <std::ranges::input_range Range>
        requires(std::constructible_from<Raw, Range> && !std::derived_from<std::remove_cvref_t<Range>, Raw>)
    BasicArray(Range&& values, AnyLock<sharing> lock)
        : BasicArray(Raw(std::forward<Range>(values)), std::move(lock)) {}
    /// Python's sharedctypes.synchronized(): the same storage, with an RLock of its own.
    explicit BasicArray(Raw raw) : BasicArray(std::move(raw), BasicRLock<sharing>()) {}
    /// The same storage under this lock.
    BasicArray(Raw raw, AnyLock<sharing> lock) noexcept
        : Raw(std::move(raw)), Synchronized<sharing>(std::move(lock)) {}

    /// The same storage without the lock.
    const Raw& get_obj() const noexcept { return *this; }
};

namespace threading {
/// A value between threads, without a lock.
template <class T>
using RawValue = BasicRawValue<T, detail::Sharing::threads>;
/// An array between threads, without a lock.
template <class T>
using RawArray = BasicRawArray<T, detail::Sharing::threads>;
/// A value between threads, and its lock.
template <class T>
using Value = BasicValue<T, detail::Sharing::threads>;
/// An array between threads, and its lock.
template <class T>
using Array = BasicArray<T, detail::Sharing::threads>;
}  // namespace threading

namespace multiprocessing {
/// A value between processes, without a lock. Travels as an argument, by handle.
template <class T>
using RawValue = BasicRawValue<T, detail::Sharing::processes>;
/// An array between processes, without a lock. Travels as an argument, by handle.
template <class T>
using RawArray = BasicRawArray<T, detail::Sharing::processes>;
/// A value between processes, and its lock. Travels as an argument, by handle.
template <class T>
using Value = BasicValue<T, detail::Sharing::processes>;
/// An array between processes, and its lock. Travels as an argument, by handle.
template <class T>
using Array = BasicArray<T, detail::Sharing::processes>;
}  // namespace multiprocessing

template <>
struct codec<AnyLock<detail::Sharing::processes>> : detail::HandleCodec<AnyLock<detail::Sharing::processes>> {
};

namespace detail::memory {

// A Value and an Array travel as their storage, then their lock.
template <class Shared, class Raw>
struct SynchronizedCodec {
    static void write(message::Writer& out, const Shared& shared) {
        codec<Raw>::write(out, shared.get_obj());
        codec<AnyLock<Sharing::processes>>::write(out, shared.get_lock());
    }
    static Shared read(message::Reader& in) {
        auto raw = codec<Raw>::read(in);
        return Shared(std::move(raw), codec<AnyLock<Sharing::processes>>::read(in));
    }
};

}  // namespace detail::memory

// Reading throws TypeMismatch if the storage is of another type, DecodeError if the message is damaged.
template <class T>
struct codec<BasicRawValue<T, detail::Sharing::processes>>
    : detail::HandleCodec<BasicRawValue<T, detail::Sharing::processes>> {};
template <class T>
struct codec<BasicRawArray<T, detail::Sharing::processes>>
    : detail::HandleCodec<BasicRawArray<T, detail::Sharing::processes>> {};
template <class T>
struct codec<BasicValue<T, detail::Sharing::processes>>
    : detail::memory::SynchronizedCodec<BasicValue<T, detail::Sharing::processes>,
                                        BasicRawValue<T, detail::Sharing::processes>> {};
template <class T>
struct codec<BasicArray<T, detail::Sharing::processes>>
    : detail::memory::SynchronizedCodec<BasicArray<T, detail::Sharing::processes>,
                                        BasicRawArray<T, detail::Sharing::processes>> {};

}  // namespace chorus::inline v0

#pragma GCC visibility pop
