#include "platform/signal_mask.hpp"

#include <csignal>
#include <cstring>

#include <sys/syscall.h>
#include <unistd.h>

namespace chorus::inline v0::detail::platform {

SignalMask signal_mask() noexcept {
    sigset_t set{};  // the kernel fills its own part only
    ::pthread_sigmask(SIG_SETMASK, nullptr, &set);
    SignalMask mask;
    static_assert(sizeof set == sizeof mask);
    std::memcpy(mask.data(), &set, sizeof set);
    return mask;
}

[[gnu::hot]] void set_signal_mask(const SignalMask& mask) noexcept {
    // The kernel reads the first part only: the C library has room for more signals than there are.
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, mask.data(), nullptr, NSIG / 8);
}

void block_all_signals() noexcept {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
}

}  // namespace chorus::inline v0::detail::platform
