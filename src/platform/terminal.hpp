// What standard error leads to, for code that draws on a terminal.
//
// Thread safety: any thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace chorus::inline v0::detail::platform {

struct StreamKind {
    enum Leads : std::uint8_t { nowhere, to_a_file, to_a_terminal } leads = nowhere;
    std::size_t columns = 80;  ///< of the terminal
};

/// Of descriptor 2.
StreamKind standard_error() noexcept;

}  // namespace chorus::inline v0::detail::platform
