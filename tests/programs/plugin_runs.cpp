// A plug-in that uses Chorus itself, as any library may; its host has it.
#include <chorus/chorus.hpp>

static int square(int number) { return number * number; }

extern "C" int run_square(int number) { return chorus::multiprocessing::run(square, number); }
