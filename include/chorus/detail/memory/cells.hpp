// Elements of one type in a row, and what they are, where the threads of one process or several processes see
// them: what RawValue and RawArray stand on.
//
// Thread safety: making, telling and reading may be done by any thread; one at a time for each object.
// Crash safety: a dead process holds nothing; the memory goes with its last holder.
#pragma once

#include <chorus/detail/contract.hpp>

#include <cstddef>
#include <memory>
#include <typeinfo>
#include <utility>

#include <chorus/detail/handle.hpp>
#include <chorus/detail/memory/shareable.hpp>
#include <chorus/detail/message/bytes.hpp>
#include <chorus/detail/sharing.hpp>

namespace chorus::inline v0::detail::memory {
struct CellsHeader;
}

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::detail::memory {

/// What lies there.
struct CellKind {
    const std::type_info& type;
    std::size_t size;       ///< of one element
    std::size_t alignment;  ///< at most 64
    bool is_array;
};

/// Fails the build for types that cannot be shared.
template <class T>
CellKind kind_of(bool is_array) {
    expect_shareable<T>();
    return {typeid(T), sizeof(T), alignof(T), is_array};
}

/// A light value: its copies refer to the same elements. One that was moved from refers to none.
class Cells {
public:
    Cells(std::shared_ptr<CellsHeader> header, std::byte* first, std::size_t count) noexcept
        : header_(std::move(header)), first_(first), count_(count) {}
    Cells(const Cells&) = default;
    Cells& operator=(const Cells&) = default;
    Cells(Cells&& other) noexcept
        : header_(std::move(other.header_)),
          first_(std::exchange(other.first_, nullptr)),
          count_(std::exchange(other.count_, 0)) {}
    Cells& operator=(Cells&& other) noexcept {
        header_ = std::move(other.header_);
        first_ = std::exchange(other.first_, nullptr);
        count_ = std::exchange(other.count_, 0);
        return *this;
    }
    ~Cells() = default;

    /// Null if it refers to none.
    std::byte* first() const noexcept { return first_; }
    /// Throws: UsageError if it refers to none.
    std::byte* checked_first() const {
        if (first_ == nullptr) [[unlikely]]
            refuse_empty_handle();
        return first_;
    }
    std::size_t count() const noexcept { return count_; }
    const std::shared_ptr<CellsHeader>& header() const noexcept { return header_; }

private:
    std::shared_ptr<CellsHeader> header_;
    std::byte* first_;
    std::size_t count_;  ///< kept here, where no other process can change it
};

/// Zeroed, and reserved. Throws: UsageError if no memory can have that many; OsError with the numbers if this
/// machine has not got it.
Cells make_cells(Sharing sharing, const CellKind& kind, std::size_t count);

/// Requires: made for processes.
void write_cells(message::Writer& out, const Cells& cells);
/// Throws: TypeMismatch if elements of another kind lie there, DecodeError if they cannot.
Cells read_cells(message::Reader& in, const CellKind& kind);

/// Throws: UsageError, with both numbers.
[[noreturn]] void refuse_index(std::size_t index, std::size_t count);

}  // namespace chorus::inline v0::detail::memory

#pragma GCC visibility pop
