// error: no_parameter_has_the_keyword
// error: "nmu"

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

constexpr auto dance = chorus::named<"num", "pause">([](int, double) {});

int main() { mp::Process process(dance, chorus::kw<"nmu"> = 3, chorus::kw<"pause"> = 0.5); }
