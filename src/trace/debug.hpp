// Debug messages: with CHORUS_DEBUG=1 the program reports why it does something in an unusual way.
#pragma once

namespace chorus::inline v0::detail::trace {

/// Writes "chorus: TEXT" and a line's end to standard error, if CHORUS_DEBUG is 1 in the environment.
void debug(const char* text) noexcept;

}  // namespace chorus::inline v0::detail::trace
