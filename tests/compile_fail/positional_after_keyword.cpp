// error: positional_argument_stands_after_the_keyword
// error: "num"

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

constexpr auto dance = chorus::named<"num", "pause">([](int, double) {});

int main() { mp::Process process(dance, chorus::kw<"num"> = 3, 0.5); }
