// Whether a function can be called with arguments, and the call: as std::is_invocable and std::invoke.
//
// Those two compile to several functions for each call site, so they are used for pointers to members only.
//
// Thread safety: pure functions.
// Crash safety: no state.
#pragma once

#include <chorus/detail/contract.hpp>

#include <functional>
#include <type_traits>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::detail::message {

template <class Function, class... Args>
concept DirectlyInvocable = requires(Function&& function, Args&&... args) {
    static_cast<Function&&>(function)(static_cast<Args&&>(args)...);
};
template <class Function, class... Args>
concept Invocable =
    DirectlyInvocable<Function, Args...> ||
    (std::is_member_pointer_v<std::remove_cvref_t<Function>> && std::is_invocable_v<Function, Args...>);

// Converts as std::thread does: a warning about an implicit conversion would point at this line, not at the
// user's.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wfloat-conversion"
#pragma GCC diagnostic ignored "-Wdouble-promotion"
template <class Function, class... Args>
constexpr decltype(auto) invoke_function(Function& function, Args&&... args) {
    if constexpr (std::is_member_pointer_v<Function>) {
        return std::invoke(function, static_cast<Args&&>(args)...);
    } else {
        return function(static_cast<Args&&>(args)...);
    }
}
#pragma GCC diagnostic pop

}  // namespace chorus::inline v0::detail::message

#pragma GCC visibility pop
