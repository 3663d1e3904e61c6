// System calls: the error of each that fails becomes an OsError here.
#pragma once

#include <cerrno>
#include <string>

#include <chorus/errors.hpp>

namespace chorus::inline v0::detail::platform {

/// The error of a malformed message.
inline constexpr int bad_message = EBADMSG;

/// An OsError that names the call, the reason, and the limit that was met where there is one.
OsError os_error(const std::string& operation, int code);

/// The error of a call that the kernel does not know or a sandbox refuses: names the call, the first
/// Linux that has it, and the running kernel.
OsError missing_call(const std::string& name, const std::string& since, int code);

/// Returns the result, or throws OsError when it is negative.
template <class Result>
Result check(Result result, const char* operation) {
    if (result < 0) throw os_error(operation, errno);
    return result;
}

/// Repeats a call for as long as a signal interrupts it.
template <class Call>
auto retry(Call call) -> decltype(call()) {
    for (;;) {
        const auto result = call();
        if (result >= 0 || errno != EINTR) return result;
    }
}

}  // namespace chorus::inline v0::detail::platform
