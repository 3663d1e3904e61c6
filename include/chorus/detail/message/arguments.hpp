// The arguments of a call, stored until the call is made.
//
// A tuple reduced to what a call needs. Each call site has its own types, so everything in here is compiled
// for each call site; std::tuple and std::apply took half of a call site's compile time.
//
// Thread safety: one thread at a time for each object.
// Crash safety: private memory; nothing outlives the process.
#pragma once

#include <chorus/detail/contract.hpp>

#include <cstddef>
#include <type_traits>
#include <utility>

#include <chorus/detail/message/encoding.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::detail::message {

template <std::size_t place, class T>
struct Argument {
    [[no_unique_address]] T value;
};

template <class Places, class... Each>
struct PlacedArguments;

template <std::size_t... place, class... Each>
struct PlacedArguments<std::index_sequence<place...>, Each...> : Argument<place, Each>... {
    /// Initialises each argument from the given one in its place.
    template <class... Given>
    explicit PlacedArguments(std::in_place_t, Given&&... given)
        : Argument<place, Each>{static_cast<Each>(static_cast<Given&&>(given))}... {}
    /// Reads what write() wrote. Throws: as decode().
    explicit PlacedArguments([[maybe_unused]] Reader& in) : Argument<place, Each>{decode<Each>(in)}... {}

    void write([[maybe_unused]] Writer& out) const { (encode(out, get<place, Each>()), ...); }

    template <std::size_t at, class T>
    T& get() noexcept {
        return static_cast<Argument<at, T>&>(*this).value;
    }
    template <std::size_t at, class T>
    const T& get() const noexcept {
        return static_cast<const Argument<at, T>&>(*this).value;
    }
};

template <class... Each>
using Arguments = PlacedArguments<std::index_sequence_for<Each...>, Each...>;

}  // namespace chorus::inline v0::detail::message

#pragma GCC visibility pop
