// error: no_parameter_has_the_keyword
// error: "nmu"

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

constexpr auto twice = chorus::named<"num">([](int num) { return 2 * num; });

int main() { return mp::run(twice, chorus::kw<"nmu"> = 3); }
