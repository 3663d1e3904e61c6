// ShareableList: a list of plain values in named shared memory, which any process may read and replace.
//
//     mp::ShareableList list{1, 2.5, std::string("x"), true, nullptr};
//     list[0] = 7;                                                // also another type: list[0] = "seven"
//     auto n = list[0].as<std::int64_t>();
//     mp::ShareableList same({.name = list.shm().name()});        // in any process, also a Python program's
//     list.shm().unlink();                                        // once, when no process will attach any
//     more
//
// Semantics: Python's multiprocessing.shared_memory.ShareableList, byte for byte: either side reads and
// writes the lists of the other. The number of elements is fixed, and so is the capacity of each: 8 bytes, or
// for text and bytes the next multiple of 8 above their first length. Text is any bytes here, UTF-8 to
// Python.
//
// Trailing zeros of text and bytes are kept here, up to 99,999 bytes. Python drops them: those written here
// when it reads, and its own when it writes, since they cannot be told from padding.
//
// A handle is a light value, as SharedMemory is: its copies refer to the same list. It travels as its name.
//
// Thread safety: one thread at a time for each handle; each thread may have a copy. There is no lock:
// accesses
//        to the same element, one of them a write, need synchronisation; different elements do not.
// Crash safety: a process that dies while it replaces an element may leave that one half written: it reads as
// a
//        mixture, or throws DecodeError, until it is replaced again. All others are intact. As SharedMemory
//        otherwise.
#pragma once

#include <chorus/version.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <ostream>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <chorus/shared_memory.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::multiprocessing {

/// Options of a list.
struct ShareableListOptions {
    std::string name{};  ///< as SharedMemoryOptions::name
};

/// A list of values in a named block, as Python's: its length, and the capacity of each element, are fixed at
/// creation.
class ShareableList {
public:
    /// Python's None, bool, int, float, str and bytes.
    using Value =
        std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, std::vector<std::byte>>;
    class Reference;
    class Iterator;

    /// A new list of these values, under the name or a free one.
    /// Throws: UsageError for an invalid name, for text or bytes of 10 million bytes or more, or of 100,000
    /// or more that end with a zero; FileExists; OsError if there is not enough memory.
    ShareableList(std::initializer_list<Value> values, ShareableListOptions options = {})
        : ShareableList(create({values.begin(), values.size()}, options)) {}
    ShareableList() : ShareableList(std::initializer_list<Value>{}) {}
    /// The values of a range. Throws: as of a list of values.
    template <class Values>  // a range; <ranges> itself takes long to compile
        requires std::constructible_from<Value, decltype(*std::begin(std::declval<Values&>()))> &&
                 (!std::convertible_to<Values, Value> &&
                  !std::same_as<std::remove_cvref_t<Values>, ShareableList>)
    explicit ShareableList(Values&& values, ShareableListOptions options = {})
        : ShareableList(create(collected(values), options)) {}
    /// The same values in a new list; a plain copy is another handle of the same list.
    ShareableList(const ShareableList& values, ShareableListOptions options)
        : ShareableList(create(collected(values), options)) {}

    /// Attaches to the list of this name. Throws: UsageError without a name or for an invalid one;
    /// FileNotFound; OsError; DecodeError if the block holds no list.
    explicit ShareableList(ShareableListOptions options)
        : ShareableList(SharedMemory({.name = std::move(options.name)})) {}

    /// The number of elements.
    std::size_t size() const noexcept { return size_; }
    /// Whether there are none.
    bool empty() const noexcept { return size_ == 0; }

    /// The element at this position, from the end if it is negative: list[-1] is the last.
    /// Throws: UsageError if there is none.
    template <std::integral Position>
    Reference operator[](Position position) const;

    /// The first element; each value is read when the iterator is dereferenced.
    Iterator begin() const;
    /// One past the last element.
    Iterator end() const;

    /// The number of elements equal to this value. Numbers and bools compare by value, as in both languages:
    /// 1, 1.0 and true are equal. Throws: DecodeError.
    std::size_t count(const Value& value) const;
    /// The position of the first such element. Throws: UsageError if there is none (Python: ValueError);
    /// DecodeError.
    std::size_t index(const Value& value) const;

    /// The types of the elements, as formats of Python's struct module, one after the other.
    std::string format() const;

    /// The block of the list: for its name, close() and unlink().
    SharedMemory& shm() noexcept { return shm_; }
    /// The same.
    const SharedMemory& shm() const noexcept { return shm_; }
    /// Whether the elements can be accessed: false after shm().close(), and after the handle was moved from.
    bool valid() const noexcept { return shm_.valid(); }

    /// ShareableList([1, 2.5, 'x', True, None], name='psm_3987bc0d')
    friend std::ostream& operator<<(std::ostream& out, const ShareableList& list);

private:
    explicit ShareableList(SharedMemory block);
    static SharedMemory create(std::span<const Value> values, const ShareableListOptions& options);

    static std::vector<Value> collected(auto&& values) {
        std::vector<Value> all;
        for (auto&& value : values) all.emplace_back(std::forward<decltype(value)>(value));
        return all;
    }

    std::size_t position(bool from_end, std::uintmax_t distance) const;
    Value get(std::size_t position) const;
    void set(std::size_t position, const Value& value) const;

    SharedMemory shm_;
    // Read once, so that what others write there later cannot lead astray.
    std::size_t size_ = 0;
    std::size_t data_size_ = 0;
};
std::ostream& operator<<(std::ostream& out, const ShareableList& list);

/// An element of a list. It belongs to the list's handle.
class ShareableList::Reference {
public:
    /// Refers to the same element.
    Reference(const Reference&) = default;
    ~Reference() = default;

    /// Throws: DecodeError if another program has overwritten it with bytes that are no value; UsageError
    /// after close().
    Value get() const { return list_->get(position_); }
    /// As get().
    operator Value() const { return get(); }

    /// The value as one of the types of Value. Throws: UsageError if it is of another; as get().
    template <class T>
        requires std::constructible_from<Value, std::in_place_type_t<T>>
    T as() const {
        Value value = get();
        if (T* const typed = std::get_if<T>(&value)) return std::move(*typed);
        refuse_type(value, Value(std::in_place_type<T>));
    }
    /// Whether the value is of this type. Throws: as get().
    template <class T>
        requires std::constructible_from<Value, std::in_place_type_t<T>>
    bool is() const {
        return std::holds_alternative<T>(get());
    }

    /// Replaces the value, and its type. Throws: UsageError if text or bytes need more room than the element
    /// has, or as in a new list; nothing has changed then.
    const Reference& operator=(const Value& value) const {
        list_->set(position_, value);
        return *this;
    }
    /// Copies the other's value. Throws: as get(), and as of a value.
    const Reference& operator=(const Reference& other) const { return *this = other.get(); }
    /// The same.
    Reference& operator=(const Reference& other) {
        std::as_const(*this) = other.get();
        return *this;
    }

    /// Whether the values are equal; 1, 1.0 and true are, as in Python.
    friend bool operator==(const Reference& a, const Value& b) { return equal(a.get(), b); }
    /// The same, of two elements.
    friend bool operator==(const Reference& a, const Reference& b) { return equal(a.get(), b.get()); }
    /// As Python writes it: 'x', b'x', True, None.
    friend std::ostream& operator<<(std::ostream& out, const Reference& element);

private:
    friend class ShareableList;
    Reference(const ShareableList& list, std::size_t position) noexcept : list_(&list), position_(position) {}

    static bool equal(const Value& a, const Value& b);
    [[noreturn]] void refuse_type(const Value& value, const Value& wanted) const;

    const ShareableList* list_;
    std::size_t position_;
};
std::ostream& operator<<(std::ostream& out, const ShareableList::Reference& element);

/// Goes through the elements.
class ShareableList::Iterator {
public:
    using value_type = Value;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;

    /// The element's value, as it is now.
    Value operator*() const { return list_->get(position_); }
    /// To the next one.
    Iterator& operator++() noexcept {
        ++position_;
        return *this;
    }
    /// To the next one; returns where it was.
    Iterator operator++(int) noexcept {
        const Iterator before = *this;
        ++position_;
        return before;
    }
    /// Whether both are at the same element.
    friend bool operator==(const Iterator&, const Iterator&) = default;

private:
    friend class ShareableList;
    Iterator(const ShareableList& list, std::size_t position) noexcept : list_(&list), position_(position) {}

    const ShareableList* list_ = nullptr;
    std::size_t position_ = 0;
};

template <std::integral Position>
ShareableList::Reference ShareableList::operator[](Position position) const {
    if constexpr (std::signed_integral<Position>) {
        // -(p + 1) + 1, since -p may be too much.
        if (position < 0)
            return {*this, this->position(true, static_cast<std::uintmax_t>(-(position + 1)) + 1)};
    }
    return {*this, this->position(false, static_cast<std::uintmax_t>(position))};
}

inline ShareableList::Iterator ShareableList::begin() const { return {*this, 0}; }
inline ShareableList::Iterator ShareableList::end() const { return {*this, size_}; }

}  // namespace chorus::inline v0::multiprocessing

namespace chorus::inline v0 {

/// As SharedMemory.
template <>
struct codec<multiprocessing::ShareableList> {
    static void write(detail::message::Writer& out, const multiprocessing::ShareableList& list) {
        detail::message::encode(out, list.shm());
    }
    static multiprocessing::ShareableList read(detail::message::Reader& in) {
        return multiprocessing::ShareableList({.name = in.read_text()});
    }
};

}  // namespace chorus::inline v0

#pragma GCC visibility pop
