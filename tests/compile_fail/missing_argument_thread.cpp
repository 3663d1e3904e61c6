// error: argument_missing_for
// error: "pause"

#include <chorus/chorus.hpp>

namespace mt = chorus::threading;

constexpr auto dance = chorus::named<"num", "pause">([](int, double) {});

int main() { mt::Thread thread({.name = "dancer"}, dance, 3); }
