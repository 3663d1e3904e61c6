// The program's entry, and its exit. Linked into each program that uses Chorus, with
// -Wl,--wrap=main,--wrap=exit: the program's own main is called from here, after all static
// constructors, and no line has to be added to it.
#include "worker/lifetime.hpp"

extern "C" {

int __real_main(int argc, char** argv, char** environment);
[[noreturn]] void __real_exit(int code);

int __wrap_main(int argc, char** argv, char** environment) {
    return chorus::detail::worker::run_program(argc, argv, environment, __real_main);
}

// Bound at the program's start, as addresses in data are: most who call it are copies, and with lazy binding
// each would search for it anew.
static void (*const volatile bound_exit)(int) = __real_exit;

void __wrap_exit(int code) {
    chorus::detail::worker::finish();
    bound_exit(code);
    __builtin_unreachable();
}
}
