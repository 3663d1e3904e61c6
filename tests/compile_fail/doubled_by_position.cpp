// error: argument_given_twice_for
// error: "num"

#include <chorus/chorus.hpp>

namespace mt = chorus::threading;

constexpr auto dance = chorus::named<"num", "pause">([](int, double) {});

int main() { mt::Thread thread(dance, 3, chorus::kw<"num"> = 4, chorus::kw<"pause"> = 0.5); }
