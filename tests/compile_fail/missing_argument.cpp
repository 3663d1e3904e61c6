// error: argument_missing_for
// error: "pause"

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

constexpr auto dance = chorus::named<"num", "pause">([](int, double) {});

int main() { mp::Process process(dance, chorus::kw<"num"> = 3); }
