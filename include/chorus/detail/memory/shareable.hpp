// Which types may lie in memory that several processes see: plain ones, whose bytes mean the same everywhere.
//
// A type that is trivially copyable and says nothing about an address. The compiler sees pointers,
// references, views and iterators, and pointers among the first fields of a plain struct; what hides its
// pointers in private members is not found out.
#pragma once

#include <chorus/detail/contract.hpp>

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <ranges>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0 {

// Never defined: their names are what the compiler prints when a type cannot be shared.
struct because_it_points_into_the_memory_of_one_process;
struct because_a_field_of_it_points_into_the_memory_of_one_process;
struct because_it_is_not_trivially_copyable_and_assignable;
struct because_it_is_aligned_to_more_than_64_bytes;
struct share_the_data_itself_or_send_it_through_a_queue;
struct use_a_struct_of_fixed_size_or_send_it_through_a_queue;
struct align_it_to_64_bytes_or_less;
template <class Type, class Why, class Instead>
struct type_cannot_lie_in_shared_memory;

namespace detail::memory {

namespace internal {

// Stand for fields in an initialiser; only their conversions are looked at, never run. No conversion to an
// aggregate: its own fields are initialised one by one then, so that all are seen in a row.
struct AnyScalarOrClass {
    template <class T>
        requires(!std::is_aggregate_v<T>)
    operator T() const noexcept {
        __builtin_unreachable();
    }
};
struct AnyPointer {
    template <class T>
    operator T*() const noexcept {
        __builtin_unreachable();
    }
    template <class T, class Class>
    operator T Class::*() const noexcept {
        __builtin_unreachable();
    }
};

template <class T, std::size_t... Before>
constexpr bool takes_fields(std::index_sequence<Before...>) {
    return requires { T{(static_cast<void>(Before), AnyScalarOrClass{})...}; };
}
template <class T, std::size_t... Before>
constexpr bool takes_pointer_after(std::index_sequence<Before...>) {
    return requires { T{(static_cast<void>(Before), AnyScalarOrClass{})..., AnyPointer{}}; };
}

constexpr std::size_t most_fields_looked_at = 48;

template <class T, std::size_t Before = 0>
constexpr bool has_pointer_field() {
    if constexpr (Before == most_fields_looked_at) {
        return false;
    } else if constexpr (takes_pointer_after<T>(std::make_index_sequence<Before>{})) {
        return true;
    } else if constexpr (!takes_fields<T>(std::make_index_sequence<Before + 1>{})) {
        return false;
    } else {
        return has_pointer_field<T, Before + 1>();
    }
}

template <class T>
constexpr bool is_reference_wrapper = false;
template <class T>
constexpr bool is_reference_wrapper<std::reference_wrapper<T>> = true;
template <class T>
constexpr bool is_initializer_list = false;
template <class T>
constexpr bool is_initializer_list<std::initializer_list<T>> = true;

}  // namespace internal

template <class T>
concept PointsSomewhere = std::is_reference_v<T> || std::is_pointer_v<T> || std::is_member_pointer_v<T> ||
                          std::is_null_pointer_v<T> || std::input_or_output_iterator<T> ||
                          std::ranges::enable_view<T> || std::ranges::enable_borrowed_range<T> ||
                          internal::is_reference_wrapper<T> || internal::is_initializer_list<T>;

template <class T>
concept Plain =
    std::is_object_v<T> && !std::is_const_v<T> && !std::is_volatile_v<T> && std::is_trivially_copyable_v<T> &&
    std::is_trivially_destructible_v<T> && std::is_copy_constructible_v<T> && std::is_copy_assignable_v<T>;

template <class T>
concept HasPointerField = std::is_aggregate_v<T> && internal::has_pointer_field<T>();

/// Stops the build with one line that names the type and the reason, if T cannot be shared.
template <class T>
constexpr void expect_shareable() {
    if constexpr (PointsSomewhere<T>) {
        (void)sizeof(type_cannot_lie_in_shared_memory<T, because_it_points_into_the_memory_of_one_process,
                                                      share_the_data_itself_or_send_it_through_a_queue>);
    } else if constexpr (!Plain<T>) {
        (void)sizeof(type_cannot_lie_in_shared_memory<T, because_it_is_not_trivially_copyable_and_assignable,
                                                      use_a_struct_of_fixed_size_or_send_it_through_a_queue>);
    } else if constexpr (HasPointerField<T>) {
        (void)sizeof(
            type_cannot_lie_in_shared_memory<T, because_a_field_of_it_points_into_the_memory_of_one_process,
                                             share_the_data_itself_or_send_it_through_a_queue>);
    } else if constexpr (alignof(T) > 64) {
        (void)sizeof(type_cannot_lie_in_shared_memory<T, because_it_is_aligned_to_more_than_64_bytes,
                                                      align_it_to_64_bytes_or_less>);
    }
}

}  // namespace detail::memory

}  // namespace chorus::inline v0

#pragma GCC visibility pop
