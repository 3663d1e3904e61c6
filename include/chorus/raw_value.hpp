// RawValue and RawArray: numbers and plain structs that several processes see, without a lock.
//
//     mp::RawValue<int> n(7);        n.value() = 8;
//     mp::RawArray<double> a(1'000'000);  std::span<double> all = a;  a[0] = 0.5;
//     mp::RawArray<int> b{1, 2, 3};  for (int& x : b) …
//
// Semantics: Python's multiprocessing.RawValue and RawArray; in mt:: the same with the threads of this
// process. A handle is a light value: its copies are the same storage, in this thread, in others, and in the
// processes it was given to as an argument. copy() makes storage of its own. What may lie there: see
// shareable.hpp.
//
// Reading and writing an element is what it is in C++ between threads: nothing is atomic, and two that write,
// or one that writes while others read, must agree by a lock (Value and Array bring one), or by
// std::atomic_ref. Memory is reserved at creation. References, pointers and spans into it are good for as
// long as a handle is.
//
// Threads: every call may come from any thread of any process that has a handle; one at a time for assignment
//          to a handle.
// Death: whoever dies, by whatever means, the others keep the storage, as it was left; it goes with its last
//        holder.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <new>
#include <ranges>
#include <span>
#include <type_traits>
#include <vector>

#include <chorus/detail/memory/cells.hpp>
#include <chorus/detail/memory/home.hpp>
#include <chorus/detail/memory/shareable.hpp>
#include <chorus/detail/message/bytes.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus {

template <class T>
struct codec;

/// What values and arrays are, for threads and for processes at once.
namespace memory {

/// What the cells of this type are. What cannot be shared stops the build.
template <class T>
CellKind kind_of(bool is_array) {
    expect_shareable<T>();
    return {typeid(T), sizeof(T), alignof(T), is_array};
}

/// One value, without a lock. A handle: its copies, here and in other processes, are the same storage.
/// Throws (constructors): OsError when there is no memory to share.
template <class T, Home home>
class RawValue {
public:
    /// A number is 0, a struct as it begins.
    RawValue() : RawValue(T{}) {}
    /// With this value.
    explicit RawValue(const T& value) : cells_(make_cells(home, kind_of<T>(false), 1)) {
        new (cells_.first())
            std::remove_reference_t<T>(value);  // so that kind_of alone says that references cannot be shared
    }
    explicit RawValue(Cells cells) noexcept : cells_(std::move(cells)) {}

    /// The value itself, in shared memory. Nothing about it is atomic: who reads while another one writes
    /// needs a lock.
    T& value() const noexcept { return *std::launder(reinterpret_cast<T*>(cells_.first())); }
    /// Another value, equal to this one now.
    RawValue copy() const { return RawValue(value()); }

    const Cells& cells() const noexcept { return cells_; }

private:
    Cells cells_;
};

/// Values in a row, without a lock. A handle: its copies, here and in other processes, are the same storage.
/// It converts to std::span. Throws (constructors): OsError with the numbers when there is no such memory;
/// UsageError when there can be none.
template <class T, Home home>
class RawArray {
public:
    using value_type = T;

    /// No elements.
    RawArray() : RawArray(std::size_t{0}) {}
    /// All bytes are zero.
    explicit RawArray(std::size_t size) : cells_(make_cells(home, kind_of<T>(true), size)) {}
    /// Of these values.
    RawArray(std::initializer_list<T> values) : RawArray(values.begin(), values.end()) {}
    /// Of the values from `first` to `last`.
    template <std::input_iterator Iterator, std::sentinel_for<Iterator> End>
        requires std::convertible_to<std::iter_reference_t<Iterator>, T>
    RawArray(Iterator first, End last) : RawArray(std::ranges::subrange(std::move(first), std::move(last))) {}
    /// Of the values of a range.
    template <std::ranges::input_range Range>
        requires(std::convertible_to<std::ranges::range_reference_t<Range>, T> &&
                 !std::derived_from<std::remove_cvref_t<Range>, RawArray>)
    explicit RawArray(Range&& values) : RawArray(count_and_fill(values)) {}
    explicit RawArray(Cells cells) noexcept : cells_(std::move(cells)) {}

    /// How many elements there are: fixed when it was made.
    std::size_t size() const noexcept { return cells_.count(); }
    /// Whether there are none.
    bool empty() const noexcept { return size() == 0; }
    /// Where the elements lie, in a row; good for as long as a handle of this process is.
    T* data() const noexcept { return std::launder(reinterpret_cast<T*>(cells_.first())); }
    /// The first element.
    T* begin() const noexcept { return data(); }
    /// Behind the last element.
    T* end() const noexcept { return data() + size(); }

    /// Requires: index < size().
    T& operator[](std::size_t index) const noexcept { return data()[index]; }
    /// Throws: UsageError if there is no such element.
    T& at(std::size_t index) const {
        if (index >= size()) refuse_index(index, size());
        return data()[index];
    }
    /// Another array, equal to this one now.
    RawArray copy() const { return RawArray(begin(), end()); }

    const Cells& cells() const noexcept { return cells_; }

private:
    // What can be gone through only once is kept until it is counted.
    template <class Range>
    static RawArray count_and_fill(Range& values) {
        if constexpr (std::ranges::forward_range<Range>) {
            RawArray array(static_cast<std::size_t>(std::ranges::distance(values)));
            std::ranges::transform(values, array.begin(), [](auto&& value) { return static_cast<T>(value); });
            return array;
        } else {
            std::vector<T> kept;
            for (auto&& value : values) kept.push_back(static_cast<T>(value));
            return RawArray(kept.begin(), kept.end());
        }
    }

    Cells cells_;
};

}  // namespace memory

/// Throws (read): TypeMismatch if the storage is of another type, DecodeError if it is damaged.
template <class T>
struct codec<memory::RawValue<T, memory::Home::process>> {
    using RawValue = memory::RawValue<T, memory::Home::process>;
    static void write(message::Writer& out, const RawValue& value) {
        memory::write_cells(out, value.cells());
    }
    static RawValue read(message::Reader& in) {
        return RawValue(memory::read_cells(in, memory::kind_of<T>(false)));
    }
};
template <class T>
struct codec<memory::RawArray<T, memory::Home::process>> {
    using RawArray = memory::RawArray<T, memory::Home::process>;
    static void write(message::Writer& out, const RawArray& array) {
        memory::write_cells(out, array.cells());
    }
    static RawArray read(message::Reader& in) {
        return RawArray(memory::read_cells(in, memory::kind_of<T>(true)));
    }
};

namespace threading {
/// A value in this process's memory, without a lock: memory::RawValue.
template <class T>
using RawValue = memory::RawValue<T, memory::Home::thread>;
/// An array in this process's memory, without a lock: memory::RawArray.
template <class T>
using RawArray = memory::RawArray<T, memory::Home::thread>;
}  // namespace threading

namespace multiprocessing {
/// A value that processes share, without a lock: memory::RawValue. Travels as an argument, by handle.
template <class T>
using RawValue = memory::RawValue<T, memory::Home::process>;
/// An array that processes share, without a lock: memory::RawArray. Travels as an argument, by handle.
template <class T>
using RawArray = memory::RawArray<T, memory::Home::process>;
}  // namespace multiprocessing

}  // namespace chorus

#pragma GCC visibility pop
