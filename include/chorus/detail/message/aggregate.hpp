// The fields of an aggregate, found without help from its author, so that plain structs just travel.
//
// Counting follows from what the braces of an initialiser accept; visiting is a structured binding.
// Bases are not seen: a struct with one needs a cereal `serialize`.
#pragma once

#include <chorus/detail/contract.hpp>

#include <cstddef>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::detail::message {

namespace internal {

// Stand for any field in an initialiser; only their conversions are looked at, never run. They have
// bodies because some fields' own constructors are compiled for being looked at. A reference
// fits fields of every copyable type without ambiguity, a value fits the others.
struct AnyCopyable {
    template <class T>
    operator T&() const noexcept {
        __builtin_unreachable();
    }
};
struct AnyMovable {
    template <class T>
    operator T() const noexcept {
        __builtin_unreachable();
    }
};

template <class T, std::size_t>
using any_field = std::conditional_t<std::is_copy_constructible_v<T>, AnyCopyable, AnyMovable>;

template <class T, std::size_t... I>
constexpr bool takes(std::index_sequence<I...>) {
    return requires { T{any_field<T, I>{}...}; };
}

// Are the first `before` initialisers, then one empty pair of braces, then `after` more, accepted?
template <class T, std::size_t... Before, std::size_t... After>
constexpr bool takes_braces_at(std::index_sequence<Before...>, std::index_sequence<After...>) {
    return requires { T{any_field<T, Before>{}..., {}, any_field<T, After>{}...}; };
}

constexpr std::size_t most_fields = 32;

// Initialisers accepted when the braces of inner arrays are left out.
template <class T, std::size_t N = most_fields * 4>
constexpr std::size_t count_initialisers() {
    if constexpr (N == 0) {
        return 0;
    } else if constexpr (takes<T>(std::make_index_sequence<N>{})) {
        return N;
    } else {
        return count_initialisers<T, N - 1>();
    }
}

// How many initialisers may follow a braced field at this place.
template <class T, std::size_t Before, std::size_t After>
constexpr std::size_t count_after() {
    if constexpr (takes_braces_at<T>(std::make_index_sequence<Before>{}, std::make_index_sequence<After>{})) {
        return After;
    } else if constexpr (After == 0) {
        return static_cast<std::size_t>(-1);
    } else {
        return count_after<T, Before, After - 1>();
    }
}

// An inner array swallows several initialisers but is one field.
template <class T, std::size_t Total, std::size_t Before = 0>
constexpr std::size_t count_fields_from() {
    if constexpr (Before >= Total) {
        return 0;
    } else {
        constexpr std::size_t after = count_after<T, Before, Total - Before - 1>();
        constexpr std::size_t swallowed = after == static_cast<std::size_t>(-1) ? 1 : Total - Before - after;
        return 1 + count_fields_from<T, Total, Before + swallowed>();
    }
}

}  // namespace internal

/// Number of fields of an aggregate (at most 32).
template <class T>
constexpr std::size_t field_count = internal::count_fields_from<T, internal::count_initialisers<T>()>();

namespace internal {

template <class T>
struct AnyBaseOf {
    template <class Base>
        requires(std::is_base_of_v<Base, T> && !std::is_same_v<Base, T>)
    operator Base() const noexcept {
        __builtin_unreachable();
    }
};

template <class T>
concept HasBase = requires { T{AnyBaseOf<T>{}}; };

}  // namespace internal

template <class T>
concept Aggregate = std::is_class_v<T> && std::is_aggregate_v<T> && !internal::HasBase<T>;

/// Calls visit with every field, in order.
template <class T, class Visit>
constexpr void visit_fields(T& value, Visit&& visit) {
    constexpr std::size_t count = field_count<std::remove_const_t<T>>;
    // clang-format off
    if constexpr (count == 1) { auto& [f1] = value; visit(f1); }
    else if constexpr (count == 2) { auto& [f1, f2] = value; visit(f1, f2); }
    else if constexpr (count == 3) { auto& [f1, f2, f3] = value; visit(f1, f2, f3); }
    else if constexpr (count == 4) { auto& [f1, f2, f3, f4] = value; visit(f1, f2, f3, f4); }
    else if constexpr (count == 5) { auto& [f1, f2, f3, f4, f5] = value; visit(f1, f2, f3, f4, f5); }
    else if constexpr (count == 6) { auto& [f1, f2, f3, f4, f5, f6] = value; visit(f1, f2, f3, f4, f5, f6); }
    else if constexpr (count == 7) { auto& [f1, f2, f3, f4, f5, f6, f7] = value; visit(f1, f2, f3, f4, f5, f6, f7); }
    else if constexpr (count == 8) { auto& [f1, f2, f3, f4, f5, f6, f7, f8] = value; visit(f1, f2, f3, f4, f5, f6, f7, f8); }
    else if constexpr (count == 9) { auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9] = value; visit(f1, f2, f3, f4, f5, f6, f7, f8, f9); }
    else if constexpr (count == 10) { auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10] = value; visit(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10); }
    else if constexpr (count == 11) { auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11] = value; visit(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11); }
    else if constexpr (count == 12) { auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12] = value; visit(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12); }
    else if constexpr (count == 13) { auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13] = value; visit(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13); }
    else if constexpr (count == 14) { auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14] = value; visit(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14); }
    else if constexpr (count == 15) { auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15] = value; visit(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15); }
    else if constexpr (count == 16) { auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16] = value; visit(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16); }
    else if constexpr (count == 17) { auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17] = value; visit(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17); }
    else if constexpr (count == 18) { auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18] = value; visit(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18); }
    else if constexpr (count == 19) { auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19] = value; visit(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19); }
    else if constexpr (count == 20) { auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20] = value; visit(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20); }
    else if constexpr (count == 21) { auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21] = value; visit(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21); }
    else if constexpr (count == 22) { auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22] = value; visit(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22); }
    else if constexpr (count == 23) { auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23] = value; visit(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23); }
    else if constexpr (count == 24) { auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24] = value; visit(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24); }
    else if constexpr (count == 25) { auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25] = value; visit(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25); }
    else if constexpr (count == 26) { auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26] = value; visit(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26); }
    else if constexpr (count == 27) { auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27] = value; visit(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27); }
    else if constexpr (count == 28) { auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28] = value; visit(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28); }
    else if constexpr (count == 29) { auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29] = value; visit(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29); }
    else if constexpr (count == 30) { auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29, f30] = value; visit(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29, f30); }
    else if constexpr (count == 31) { auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29, f30, f31] = value; visit(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29, f30, f31); }
    else if constexpr (count == 32) { auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29, f30, f31, f32] = value; visit(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29, f30, f31, f32); }
    else { visit(); }
}

}  // namespace chorus::detail::message

#pragma GCC visibility pop
