// The report of a child for its parent: its function's outcome, or the record of its crash.
//
// Layout of the file (anonymous, sparse; only what is written takes memory):
//
//     0           Header; `size` is written last and commits the outcome
//     64          platform::CrashRecord, then the child's memory map; written when it crashes
//     2 MiB       the outcome, as message/outcome writes it
//
// Crash safety: the child writes, and the parent reads only once the child is dead. Nothing is shared
// while it changes. A child killed at any instant leaves either a whole outcome or none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>

#include <chorus/detail/message/callable.hpp>
#include <chorus/detail/message/outcome.hpp>
#include "platform/crash.hpp"
#include "platform/mapping.hpp"
#include "platform/symbols.hpp"

namespace chorus::inline v0::detail::worker {

constexpr std::size_t crash_offset = 64;
constexpr std::size_t outcome_offset = std::size_t{2} << 20;

// ---- the child's side ----

/// Runs the call and writes its outcome. Exceptions are part of it, except SystemExit, which
/// propagates. Returns the exit code for the process.
int run_and_report(message::Call& call, int report, bool wants_result, std::size_t memory_limit);

// ---- the parent's side ----

platform::FileDescriptor make_report();

/// Everything a report says, read after the child's death.
class Report {
public:
    explicit Report(const platform::FileDescriptor& file);

    /// The value's bytes, if the function returned.
    std::optional<message::Reader> value();
    /// What the function threw; null if it did not.
    std::exception_ptr exception();
    /// Where the child crashed; empty if no crash was recorded.
    platform::SymbolizedStack stack() const;

private:
    platform::CrashRecord record_;
    platform::Mapping mapping_;
    std::string_view memory_map_;         ///< in the mapping
    std::span<const std::byte> outcome_;  ///< empty if there is none
};

/// Why a child ended without a result, as text for users; its exit code or signal; its stack.
struct Death {
    std::string what;
    std::optional<int> exitcode;  ///< empty: the kernel no longer knows it
    std::string stack;
};
Death death_of(std::optional<int> exitcode, const Report& report, std::size_t memory_limit);

}  // namespace chorus::inline v0::detail::worker
