// error: too_many_arguments_for_the
// error: "num"
// error: "pause"

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

constexpr auto dance = chorus::named<"num", "pause">([](int, double) {});

int main() { mp::Process process(dance, 3, 0.5, 7); }
