// error: argument_given_twice_for
// error: "num"

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

constexpr auto dance = chorus::named<"num", "pause">([](int, double) {});

int main() { mp::Process process(dance, chorus::kw<"num"> = 3, chorus::kw<"pause"> = 0.5, chorus::kw<"num"> = 4); }
