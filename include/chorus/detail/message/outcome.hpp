// How a function ended, as bytes: with a value, or with an exception.
//
// Layout: one byte of Ending, then the value; or for an exception its registered name and what its
// registration wrote; or for an unknown one its type, its message and the stack of its throw; or the exit
// code and the text of a SystemExit.
//
// Thread safety: registration belongs into static initialisation; the rest is pure.
#pragma once

#include <chorus/detail/contract.hpp>

#include <exception>
#include <memory>
#include <string>
#include <typeinfo>

#include <chorus/detail/message/encoding.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::detail::message {

enum class Ending : char { value = 'v', exception = 'e', unknown_exception = 'u', system_exit = 'x' };

/// How exceptions of one type are written and rebuilt.
class ExceptionCodec {
public:
    virtual ~ExceptionCodec() = default;
    virtual void write(Writer& out, const std::exception& exception) const = 0;
    virtual std::exception_ptr read(Reader& in) const = 0;
};

bool register_exception_codec(const std::type_info& type, std::unique_ptr<ExceptionCodec> codec);

/// Writes the exception. If its type is unknown here: its type, its message, and the stack of the last throw
/// that left a call in this thread, as addresses.
void write_exception(Writer& out, std::exception_ptr exception);

/// Rebuilds a written exception; an unknown one becomes RemoteError, whose stack is named when it is asked
/// for. Never throws: bytes that make no sense become a DecodeError to be thrown.
std::exception_ptr read_exception(Reader& in) noexcept;

/// Type and message of any thrown thing, for people. Messages of nested exceptions are appended.
struct Described {
    std::string type;
    std::string message;
};
Described describe(std::exception_ptr exception);

template <class Exception>
class TypedExceptionCodec final : public ExceptionCodec {
public:
    void write(Writer& out, const std::exception& exception) const override {
        const auto& typed = static_cast<const Exception&>(exception);
        if constexpr (HasCodec<Exception> || KnownToCereal<Exception>) {
            encode(out, typed);
        } else {
            out.write_text(typed.what());
        }
    }
    std::exception_ptr read(Reader& in) const override {
        if constexpr (HasCodec<Exception> || KnownToCereal<Exception>) {
            return std::make_exception_ptr(decode<Exception>(in));
        } else if constexpr (std::is_constructible_v<Exception, std::string>) {
            return std::make_exception_ptr(Exception(in.read_text()));
        } else {
            in.read_text();
            return std::make_exception_ptr(Exception());
        }
    }
};

}  // namespace chorus::inline v0::detail::message

#pragma GCC visibility pop
