// What the compiler must be able to do. Included first, so that this is the one error of a compiler that is
// not asked for it.
#pragma once

// An include of nothing is where compilers stop: all that follows would be errors that say less.
#if __cplusplus < 202002L
#error "Chorus needs C++20: compile with -std=c++20 or newer (CMake: link chorus::chorus, which asks for it)"
#include <chorus_needs_cxx20>
#elif !defined(__cpp_exceptions)
#error "Chorus needs exceptions, which bring errors back from workers: compile without -fno-exceptions"
#include <chorus_needs_exceptions>
#elif !defined(__cpp_rtti)
#error "Chorus needs run-time type information, by which exceptions travel: compile without -fno-rtti"
#include <chorus_needs_rtti>
#endif
