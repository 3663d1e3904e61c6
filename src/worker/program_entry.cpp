// The program's entry and exit. Linked into each program that uses Chorus, with
// -Wl,--wrap=main,--wrap=exit. This file calls the program's own main, after all static constructors;
// the program needs no line for it.
#include "worker/lifetime.hpp"

extern "C" {

int __real_main(int argc, char** argv, char** environment);
[[noreturn]] void __real_exit(int code);

int __wrap_main(int argc, char** argv, char** environment) {
    return chorus::detail::worker::run_program(argc, argv, environment, __real_main);
}

// Bound at the program's start, as addresses in data are: most callers are copies of a process, and
// with lazy binding each copy would resolve the name anew.
static void (*const volatile bound_exit)(int) = __real_exit;

void __wrap_exit(int code) {
    chorus::detail::worker::finish();
    bound_exit(code);
    __builtin_unreachable();
}
}
