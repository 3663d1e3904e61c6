// How values travel between processes, and how to make your types and exceptions travel.
//
// What travels, in the order in which it is tried:
//   1. a type with a specialisation of chorus::codec (the handles of Chorus have one);
//   2. arithmetic types, enums, functions;
//   3. what cereal serialises: the std types, and types with a cereal `serialize`, `save`/`load`;
//   4. aggregates (plain structs) of such types.
// Raw pointers, references, views and capturing lambdas do not: their target is in another address space.
//
// Thread safety: pure functions over the given bytes.
#pragma once

#include <chorus/version.hpp>

#include <exception>
#include <memory>
#include <string>
#include <type_traits>
#include <typeinfo>

#include <chorus/detail/message/bytes.hpp>
#include <chorus/detail/message/encoding.hpp>
#include <chorus/detail/message/outcome.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0 {

/// Customisation point: specialise it to define how your type travels.
///
///     template <> struct chorus::codec<Matrix> {
///         static void write(chorus::Writer& out, const Matrix& m);   // by chorus::encode() and Writer's
///         members static Matrix read(chorus::Reader& in);                    // by chorus::decode<T>() and
///         Reader's
///     };
template <class T>
struct codec;

/// The bytes of a message being written: write_raw(), write_text(), write().
using detail::message::Writer;
/// The bytes of a message being read: read_raw<T>(), read_text(), take(). Throws: DecodeError if they are too
/// few.
using detail::message::Reader;
/// encode(out, value) writes one value.
using detail::message::encode;
/// decode<T>(in) reads one value. Throws: DecodeError if the bytes do not represent one; BinaryMismatch if
/// they name a function of another binary; what reading the type throws.
using detail::message::decode;

/// The former place of these four names. Kept for a release.
namespace message {
using detail::message::decode;
using detail::message::encode;
using detail::message::Reader;
using detail::message::Writer;
}  // namespace message

// Never defined: their names are what the compiler prints.
struct or_give_it_a_constructor_from_std_string;
template <class Exception>
struct registered_exception_must_derive_from_std_exception;
template <class Exception, class... WaysToMakeItTravel>
struct exception_cannot_travel;

/// Lets exceptions of this type travel from worker processes as themselves, instead of as RemoteError. Call
/// it once, during static initialisation, so that it applies in every process of the program:
///
///     const bool registered = chorus::register_exception<ParseError>();   // at namespace scope
///
/// Requires: Exception derives from std::exception and has a chorus::codec, a cereal `serialize`, a
/// constructor from std::string (given its what()), or a default constructor.
template <class Exception>
bool register_exception() {
    if constexpr (!std::is_base_of_v<std::exception, Exception>) {
        (void)sizeof(registered_exception_must_derive_from_std_exception<Exception>);
        return false;
    } else if constexpr (!detail::message::HasCodec<Exception> &&
                         !detail::message::KnownToCereal<Exception> &&
                         !std::is_constructible_v<Exception, std::string> &&
                         !std::is_default_constructible_v<Exception>) {
        (void)sizeof(exception_cannot_travel<Exception, give_it_a_cereal_serialize_function,
                                             or_give_it_a_constructor_from_std_string>);
        return false;
    } else {
        return detail::message::register_exception_codec(
            typeid(Exception), std::make_unique<detail::message::TypedExceptionCodec<Exception>>());
    }
}

}  // namespace chorus::inline v0

#pragma GCC visibility pop
