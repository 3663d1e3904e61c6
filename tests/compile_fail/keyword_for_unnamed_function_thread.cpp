// error: wrap_the_function_in_chorus_named_to_use_the_keyword
// error: "num"

#include <chorus/chorus.hpp>

namespace mt = chorus::threading;

void sing(int) {}

int main() { mt::Thread thread(sing, chorus::kw<"num"> = 3); }
