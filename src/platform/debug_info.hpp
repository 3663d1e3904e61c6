// Debug information of code: function, file and line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "platform/modules.hpp"

namespace chorus::inline v0::detail::platform {

struct Place {
    std::string function;  ///< readable, or ""
    std::string source;    ///< "file:line", or ""
    std::string binary;    ///< path, or ""
};

/// The function at this address, which the code covers, and those it is inlined into, innermost first:
/// at least one place. The process that the address comes from may be another one, or have ended.
///
/// The first look-up in a file opens it; the file stays open to libdw for the next ones, until a few
/// others have been opened or it has been replaced. A file that is another build than the code is not
/// read: its names would be those of other functions.
///
/// Thread safety: any thread; one at a time looks up.
std::vector<Place> places_at(const MappedCode& code, std::uintptr_t address);

/// How many files this process has opened by libdw so far; a copy counts on.
std::size_t debug_info_sessions_opened() noexcept;

}  // namespace chorus::inline v0::detail::platform
