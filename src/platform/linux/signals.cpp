#include "platform/signals.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>

#include "platform/file_descriptor.hpp"

#include <pthread.h>
#include <unistd.h>
#include <unwind.h>

namespace chorus::inline v0::detail::platform {

std::string signal_name(int signal) {
    const char* name = ::sigabbrev_np(signal);
    if (name != nullptr) return std::string("SIG") + name;
    return "signal " + std::to_string(signal);
}

bool is_cpu_time_signal(int exitcode) noexcept { return exitcode == -SIGXCPU; }
bool may_have_written_anywhere(int exitcode) noexcept {
    return exitcode == -SIGSEGV || exitcode == -SIGBUS || exitcode == -SIGILL || exitcode == -SIGFPE ||
           exitcode == -SIGABRT;
}

void ignore_interrupts() noexcept { ::signal(SIGINT, SIG_IGN); }
void ignore_terminations() noexcept { ::signal(SIGTERM, SIG_IGN); }

bool handles_terminations() noexcept {
    struct sigaction action {};
    return ::sigaction(SIGTERM, nullptr, &action) == 0 && action.sa_handler != SIG_DFL;
}

namespace {

const char* interrupt_line = nullptr;
pid_t announcing = 0;

void announce_and_end(int signal) {
    const int error = errno;  // the interrupted code goes on where the signal raised below comes later, as
                              // under a sanitizer
    if (::getpid() == announcing) {
        if (::isatty(STDERR_FILENO) == 1) write_all(STDERR_FILENO, "\n", 1);  // after ^C, or a half-drawn bar
        write_all(STDERR_FILENO, interrupt_line, std::strlen(interrupt_line));
    }
    ::raise(signal);  // by default again (SA_RESETHAND), and not blocked (SA_NODEFER): the end
    errno = error;
}

}  // namespace

void announce_interrupts(const char* line) noexcept {
    struct sigaction now_set {};
    if (::sigaction(SIGINT, nullptr, &now_set) != 0 || (now_set.sa_flags & SA_SIGINFO) != 0 ||
        now_set.sa_handler != SIG_DFL)
        return;
    interrupt_line = line;
    announcing = ::getpid();
    struct sigaction action {};
    action.sa_handler = announce_and_end;
    action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_NODEFER;
    ::sigaction(SIGINT, &action, nullptr);
}

namespace {

// The unwinder marks a frame that a signal has interrupted between two instructions. The frames below a
// handler are marked so.
bool is_inside_a_signal_handler() noexcept {
    bool found = false;
    ::_Unwind_Backtrace(
        [](_Unwind_Context* frame, void* context) {
            int is_before_instruction = 0;
            ::_Unwind_GetIPInfo(frame, &is_before_instruction);
            if (is_before_instruction == 0) return _URC_NO_REASON;
            *static_cast<bool*>(context) = true;
            return _URC_END_OF_STACK;
        },
        &found);
    return found;
}

// Of the signals that ask a program to end those in whose handler this thread is: blocked ones that are
// not ignored, if the thread is inside a handler at all.
sigset_t signals_in_hand() noexcept {
    sigset_t blocked;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    sigset_t handled;
    ::sigemptyset(&handled);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) {
        struct sigaction action {};
        if (::sigismember(&blocked, signal) == 1 && ::sigaction(signal, nullptr, &action) == 0 &&
            action.sa_handler != SIG_IGN)
            ::sigaddset(&handled, signal);
    }
    if (::sigisemptyset(&handled) == 0 && !is_inside_a_signal_handler()) ::sigemptyset(&handled);
    return handled;
}

}  // namespace

void let_signals_end_their_handler() noexcept {
    const sigset_t handled = signals_in_hand();
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) {
        if (::sigismember(&handled, signal) == 1) ::signal(signal, SIG_DFL);
    }
    ::pthread_sigmask(SIG_UNBLOCK, &handled, nullptr);
}

bool is_inside_such_a_handler() noexcept {
    const sigset_t handled = signals_in_hand();
    return ::sigisemptyset(&handled) == 0;
}

void end_inside_signal_handler() noexcept {
    const sigset_t handled = signals_in_hand();
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) {
        if (::sigismember(&handled, signal) != 1) continue;
        ::signal(signal, SIG_DFL);
        ::pthread_kill(::pthread_self(), signal);
    }
    ::pthread_sigmask(SIG_UNBLOCK, &handled, nullptr);
}

void wait_for_signal() noexcept { ::pause(); }

}  // namespace chorus::inline v0::detail::platform
