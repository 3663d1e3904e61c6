// A limit on the size of files (RLIMIT_FSIZE, `ulimit -f`) as an errno.
#pragma once

#include <cerrno>
#include <csignal>
#include <ctime>

#include <sys/resource.h>

namespace chorus::inline v0::detail::platform {

/// Makes a call that writes to a file or sets its size, and returns its result. Beyond the limit the
/// kernel raises SIGXFSZ, which ends a program; here the call fails with EFBIG and raises no signal. A
/// signal that was pending before stays pending.
template <class Call>
auto without_size_signal(Call call) noexcept -> decltype(call()) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return call();
    sigset_t too_large;
    sigset_t before;
    sigset_t pending;
    ::sigemptyset(&too_large);
    ::sigaddset(&too_large, SIGXFSZ);
    ::pthread_sigmask(SIG_BLOCK, &too_large, &before);
    ::sigpending(&pending);
    const auto result = call();
    const int code = errno;
    constexpr timespec at_once{};
    if (result < 0 && code == EFBIG && ::sigismember(&pending, SIGXFSZ) == 0)
        ::sigtimedwait(&too_large, nullptr, &at_once);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    errno = code;
    return result;
}

}  // namespace chorus::inline v0::detail::platform
