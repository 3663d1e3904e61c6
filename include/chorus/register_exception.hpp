// register_exception: exceptions of your own types arrive from worker processes as themselves.
//
//     const bool registered = chorus::register_exception<ParseError>();   // at namespace scope
//
// Threads: registration belongs into static initialisation.
// Death: nothing is held.
#pragma once

#include <exception>
#include <memory>
#include <string>
#include <type_traits>
#include <typeinfo>

#include <chorus/detail/message/outcome.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus {

// Never defined: their names are what the compiler prints.
struct or_give_it_a_constructor_from_std_string;
template <class Exception>
struct registered_exception_must_derive_from_std_exception;
template <class Exception, class... WaysToMakeItTravel>
struct exception_cannot_travel;

/// Lets exceptions of your type arrive from worker processes as themselves. Say so once, at namespace
/// scope, so that it holds in every process of the program:
///
///     const bool registered = chorus::register_exception<ParseError>();
///
/// Requires: Exception derives from std::exception and has a chorus::codec, a cereal `serialize`, a
/// constructor from std::string (given its what()), or a default constructor.
template <class Exception>
bool register_exception() {
    if constexpr (!std::is_base_of_v<std::exception, Exception>) {
        (void)sizeof(registered_exception_must_derive_from_std_exception<Exception>);
        return false;
    } else if constexpr (!message::HasCodec<Exception> && !message::KnownToCereal<Exception> &&
                         !std::is_constructible_v<Exception, std::string> &&
                         !std::is_default_constructible_v<Exception>) {
        (void)sizeof(exception_cannot_travel<Exception, give_it_a_cereal_serialize_function,
                                             or_give_it_a_constructor_from_std_string>);
        return false;
    } else {
        return message::register_exception_codec(typeid(Exception),
                                                 std::make_unique<message::TypedExceptionCodec<Exception>>());
    }
}

}  // namespace chorus

#pragma GCC visibility pop
