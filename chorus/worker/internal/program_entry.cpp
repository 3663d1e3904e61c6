// The program's entry, and its exit. Linked into each program that uses Chorus, with
// -Wl,--wrap=main,--wrap=exit: the program's own main is called from here, after all static
// constructors, and no line has to be added to it.
#include <chorus/worker/internal/lifetime.hpp>

extern "C" {

int __real_main(int argc, char** argv, char** environment);
// Bound at the program's start: most who call it are copies, and each would search for it anew.
[[noreturn]] __attribute__((noplt)) void __real_exit(int code);

int __wrap_main(int argc, char** argv, char** environment) { return chorus::worker::run_program(argc, argv, environment, __real_main); }

void __wrap_exit(int code) {
    chorus::worker::finish();
    __real_exit(code);
}
}
