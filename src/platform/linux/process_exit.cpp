#include "platform/process_exit.hpp"

#include <csignal>
#include <cstdlib>

#include <unistd.h>

namespace chorus::inline v0::detail::platform {
namespace {

// Bound at the program's start, as addresses in data are: copies of a process call it and the original
// never does, so with lazy binding each copy would resolve the name anew.
void (*const volatile bound_exit)(int) = ::_exit;

}  // namespace

[[gnu::hot]] void leave_at_once(int code) noexcept {
    bound_exit(code);
    __builtin_unreachable();
}

void kill_this_process() noexcept {
    ::kill(::getpid(), SIGKILL);
    for (;;) ::pause();
}

void on_exit_call(void (*function)(int code)) {
    ::on_exit([](int code, void* context) { reinterpret_cast<void (*)(int)>(context)(code); },
              reinterpret_cast<void*>(function));
}

}  // namespace chorus::inline v0::detail::platform
