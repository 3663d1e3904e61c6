// Handle: what a public handle holds, a shared pointer that refuses use when it is empty; and the passkey
// by which the library makes handles and takes them apart.
//
// Thread safety: as std::shared_ptr.
#pragma once

#include <chorus/detail/contract.hpp>

#include <memory>
#include <utility>

#include <chorus/errors.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::detail {

[[noreturn, gnu::cold]] inline void refuse_empty_handle() {
    throw UsageError(
        "this handle is empty: it was moved from, or made without arguments and not assigned to. valid() "
        "tells");
}

/// Empty after it was moved from. Each access throws UsageError then.
template <class State>
class Handle {
public:
    Handle() noexcept = default;
    Handle(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}

    State& operator*() const { return *get(); }
    State* operator->() const { return get(); }
    explicit operator bool() const noexcept { return state_ != nullptr; }
    /// Null if the handle is empty.
    const std::shared_ptr<State>& shared() const noexcept { return state_; }

    friend bool operator==(const Handle&, const Handle&) noexcept = default;

private:
    State* get() const {
        if (state_ == nullptr) [[unlikely]]
            refuse_empty_handle();
        return state_.get();
    }

    std::shared_ptr<State> state_;
};

/// The one friend of the public handles. Users cannot make a handle of a state, nor take its state out.
struct Access {
    /// A public handle of what it stands for.
    template <class Public, class... Parts>
    static Public make(Parts&&... parts) {
        return Public(std::forward<Parts>(parts)...);
    }
    /// What it stands for. Throws: UsageError if the handle is empty.
    template <class Public>
    static const auto& state(const Public& handle) {
        if (!handle.state_) [[unlikely]]
            refuse_empty_handle();
        return handle.state_.shared();
    }
    /// The elements of a value or an array.
    template <class Public>
    static const auto& cells(const Public& handle) {
        return handle.cells_;
    }
};

/// The codec of a handle that travels between processes.
template <class Public>
struct HandleCodec {
    template <class Writer>
    static void write(Writer& out, const Public& handle) {
        handle.write(out);
    }
    template <class Reader>
    static Public read(Reader& in) {
        return Public::read(in);
    }
};

}  // namespace chorus::inline v0::detail

#pragma GCC visibility pop
