// The arrangement of arguments given by keyword into the order of the parameters, at compile time.
//
// Thread safety: pure functions.
#pragma once

#include <chorus/detail/contract.hpp>

#include <array>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include <chorus/detail/message/invocable.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0 {

/// Text as a template parameter.
template <std::size_t N>
struct fixed_string {
    char text[N]{};  ///< with the zero at its end
    /// Of a literal: `chorus::named<"num">`.
    constexpr fixed_string(const char (&literal)[N]) {
        for (std::size_t i = 0; i < N; ++i) text[i] = literal[i];
    }
    /// without the zero at its end
    constexpr std::string_view view() const { return {text, N - 1}; }
};

template <class Function, fixed_string... Names>
struct Named;
template <fixed_string... Names>
struct parameters;

// Never defined: their names are what the compiler prints when a call is wrong.
template <fixed_string Key, class Parameters>
struct no_parameter_has_the_keyword;
template <fixed_string Key, class Parameters>
struct argument_given_twice_for;
template <fixed_string Key, class Parameters>
struct argument_missing_for;
template <fixed_string Key, class Parameters>
struct positional_argument_stands_after_the_keyword;
template <class Parameters>
struct too_many_arguments_for_the;
template <fixed_string Key, class Function>
struct wrap_the_function_in_chorus_named_to_use_the_keyword;

/// One argument with its keyword; made by `kw<"name"> = value`.
template <fixed_string Key, class T>
struct Keyword {
    T value;  ///< the argument
};

namespace detail::message {

/// A list of types.
template <class...>
struct Types {};

template <fixed_string Key>
struct KeywordName {
    template <class T>
    constexpr Keyword<Key, T&&> operator=(T&& value) const {
        return {std::forward<T>(value)};
    }
};

template <class T>
struct KeywordTraits {
    static constexpr bool is_keyword = false;
    static constexpr fixed_string key{""};
};
template <fixed_string Key, class T>
struct KeywordTraits<Keyword<Key, T>> {
    static constexpr bool is_keyword = true;
    static constexpr fixed_string key{Key};
};
template <class T>
using KeywordOf = KeywordTraits<std::remove_cvref_t<T>>;

inline constexpr std::size_t npos = static_cast<std::size_t>(-1);

// What a call looks like: which arguments have keywords, and the first mistake of each kind.
template <class Parameters, class... Args>
struct CallShape;

template <fixed_string... Names, class... Args>
struct CallShape<parameters<Names...>, Args...> {
    static constexpr std::array<std::string_view, sizeof...(Names)> names{Names.view()...};
    static constexpr std::array<std::string_view, sizeof...(Args)> keys{KeywordOf<Args>::key.view()...};
    static constexpr std::array<bool, sizeof...(Args)> by_key{KeywordOf<Args>::is_keyword...};
    static constexpr std::size_t positional =
        (std::size_t{0} + ... + (KeywordOf<Args>::is_keyword ? 0U : 1U));

    static constexpr std::size_t parameter_of(std::size_t argument) {
        std::size_t parameter = 0;
        while (parameter < names.size() && names[parameter] != keys[argument]) ++parameter;
        return parameter;
    }
    static constexpr std::size_t argument_for(std::size_t parameter) {
        if (parameter < positional) return parameter;
        for (std::size_t i = 0; i < keys.size(); ++i) {
            if (by_key[i] && keys[i] == names[parameter]) return i;
        }
        return npos;
    }

    static constexpr std::size_t unknown = [] {
        for (std::size_t i = 0; i < keys.size(); ++i) {
            if (by_key[i] && parameter_of(i) == names.size()) return i;
        }
        return npos;
    }();
    static constexpr std::size_t twice = [] {
        for (std::size_t i = 0; i < keys.size(); ++i) {
            const std::size_t parameter = by_key[i] ? parameter_of(i) : names.size();
            if (parameter < names.size() && (parameter < positional || argument_for(parameter) != i))
                return i;
        }
        return npos;
    }();
    static constexpr std::size_t before_positional = [] {
        for (std::size_t i = 0; i + 1 < keys.size(); ++i) {
            if (by_key[i] && !by_key[i + 1]) return i;
        }
        return npos;
    }();
    static constexpr std::size_t missing = [] {
        for (std::size_t i = 0; i < names.size(); ++i) {
            if (argument_for(i) == npos) return i;
        }
        return npos;
    }();
    static constexpr bool right = unknown == npos && before_positional == npos &&
                                  positional <= names.size() && twice == npos && missing == npos;

    template <std::size_t I>
    static constexpr auto key = std::tuple_element_t<I, std::tuple<KeywordOf<Args>...>>::key;
    template <std::size_t I>
    static constexpr auto name = std::get<I>(std::tuple{Names...});
};

// Stops the build at the first mistake, with its key in the line.
template <class Parameters, class... Args>
constexpr void refuse_call() {
    using Shape = CallShape<Parameters, Args...>;
    if constexpr (Shape::unknown != npos) {
        (void)sizeof(no_parameter_has_the_keyword<Shape::template key<Shape::unknown>, Parameters>);
    } else if constexpr (Shape::before_positional != npos) {
        (void)sizeof(
            positional_argument_stands_after_the_keyword<Shape::template key<Shape::before_positional>,
                                                         Parameters>);
    } else if constexpr (Shape::positional > Shape::names.size()) {
        (void)sizeof(too_many_arguments_for_the<Parameters>);
    } else if constexpr (Shape::twice != npos) {
        (void)sizeof(argument_given_twice_for<Shape::template key<Shape::twice>, Parameters>);
    } else {
        (void)sizeof(argument_missing_for<Shape::template name<Shape::missing>, Parameters>);
    }
}

template <class T>
constexpr decltype(auto) without_keyword(T&& argument) {
    if constexpr (KeywordOf<T>::is_keyword) {
        return static_cast<decltype(argument.value)>(argument.value);
    } else {
        return std::forward<T>(argument);
    }
}

// A function without names: its arguments stay as they are.
template <class Function>
struct Arrange {
    template <class... Args>
    static constexpr bool right = (!KeywordOf<Args>::is_keyword && ...);

    template <class... Args>
    static constexpr void refuse() {
        using Shape = CallShape<parameters<>, Args...>;
        (void)sizeof(wrap_the_function_in_chorus_named_to_use_the_keyword<Shape::template key<Shape::unknown>,
                                                                          Function>);
    }

    /// The types of the arguments as references, in the order of the parameters.
    template <class... Args>
    using Arranged = Types<Args&&...>;

    /// Calls take with the arguments in the order of the parameters.
    template <class Take, class... Args>
    static constexpr decltype(auto) pass_to(Take&& take, Args&&... args) {
        return take(std::forward<Args>(args)...);
    }
};

// The argument for a parameter, out of the tuple of arguments in the order in which they were given.
template <class Shape, std::size_t parameter, class Given>
constexpr decltype(auto) argument_for(Given& given) {
    return without_keyword(std::get<Shape::argument_for(parameter)>(std::move(given)));
}
template <class Shape, class Given, std::size_t... parameter>
auto types_arranged(std::index_sequence<parameter...>)
    -> Types<decltype(argument_for<Shape, parameter>(std::declval<Given&>()))&&...>;

template <class Function, fixed_string... Names>
struct Arrange<Named<Function, Names...>> {
    template <class... Args>
    static constexpr bool right = CallShape<parameters<Names...>, Args...>::right;

    template <class... Args>
    static constexpr void refuse() {
        refuse_call<parameters<Names...>, Args...>();
    }

    template <class... Args>
    using Arranged = decltype(types_arranged<CallShape<parameters<Names...>, Args...>, std::tuple<Args&&...>>(
        std::make_index_sequence<sizeof...(Names)>{}));

    template <class Take, class... Args>
    static constexpr decltype(auto) pass_to(Take&& take, Args&&... args) {
        return in_order<Args...>(std::make_index_sequence<sizeof...(Names)>{}, take,
                                 std::forward_as_tuple(std::forward<Args>(args)...));
    }

private:
    template <class... Args, std::size_t... parameter, class Take>
    static constexpr decltype(auto) in_order(std::index_sequence<parameter...>, Take& take,
                                             [[maybe_unused]] std::tuple<Args&&...> given) {
        return take(argument_for<CallShape<parameters<Names...>, Args...>, parameter>(given)...);
    }
};

}  // namespace detail::message

}  // namespace chorus::inline v0

#pragma GCC visibility pop
