// error: no_parameter_has_the_keyword
// error: "nmu"

#include <chorus/chorus.hpp>

namespace mt = chorus::threading;

constexpr auto dance = chorus::named<"num", "pause">([](int, double) {});

int main() { mt::Thread thread(dance, chorus::kw<"nmu"> = 3, chorus::kw<"pause"> = 0.5); }
