// Arguments by keyword: `chorus::kw<"num"> = 3` for a function made with `chorus::named<"num">(f)`.
//
//     constexpr auto dance = chorus::named<"num", "pause">([](int num, double pause) { … });
//     mp::Process p(dance, chorus::kw<"pause"> = 0.5, chorus::kw<"num"> = 3);
//
// All is resolved at compile time: keywords take the place of their parameters, and what remains is an
// ordinary call. An unknown, missing or repeated key fails the build with one line that names it.
//
// Thread safety: pure functions.
#pragma once

#include <chorus/version.hpp>

#include <type_traits>
#include <utility>

#include <chorus/detail/message/keywords.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0 {

/// The keyword: `kw<"num"> = 3` is an argument. It refers to its value: use it within the call.
template <fixed_string Key>
inline constexpr detail::message::KeywordName<Key> kw{};

/// A function whose parameters have names. Called like the function, or with keywords.
template <class Function, fixed_string... Names>
struct Named {
    [[no_unique_address]] Function function;  ///< the function itself

    /// Calls the function. A mistake with keywords fails the build with one line that names the keyword.
    template <class... Args>
    constexpr decltype(auto) operator()(Args&&... args) const {
        using Arrangement = detail::message::Arrange<Named>;
        if constexpr (Arrangement::template right<Args...>) {
            const auto call = [this]<class... Each>(Each&&... each) -> decltype(auto) {
                return detail::message::invoke_function(function, static_cast<Each&&>(each)...);
            };
            return Arrangement::pass_to(call, std::forward<Args>(args)...);
        } else {
            Arrangement::template refuse<Args...>();
        }
    }
};

/// Names the parameters of a function, in order.
template <fixed_string... Names, class Function>
constexpr Named<std::decay_t<Function>, Names...> named(Function&& function) {
    return {std::forward<Function>(function)};
}

}  // namespace chorus::inline v0

#pragma GCC visibility pop
