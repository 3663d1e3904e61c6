// The signals that a thread blocks.
#pragma once

#include <array>
#include <cstddef>

namespace chorus::inline v0::detail::platform {

/// Signals blocked in a thread, as bytes that can be handed on.
using SignalMask = std::array<std::byte, 128>;
SignalMask signal_mask() noexcept;
void set_signal_mask(const SignalMask& mask) noexcept;
void block_all_signals() noexcept;
/// Blocks all signals for a scope.
class SignalsBlocked {
public:
    SignalsBlocked() noexcept : before_(signal_mask()) { block_all_signals(); }
    ~SignalsBlocked() { set_signal_mask(before_); }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;
    const SignalMask& before() const noexcept { return before_; }

private:
    SignalMask before_;
};

}  // namespace chorus::inline v0::detail::platform
