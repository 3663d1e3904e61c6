// error: wrap_the_function_in_chorus_named_to_use_the_keyword
// error: "num"

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

void sing(int) {}

int main() { mp::Process process(sing, chorus::kw<"num"> = 3); }
