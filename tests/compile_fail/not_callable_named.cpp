// error: function_cannot_be_called_with_these_arguments

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

constexpr auto dance = chorus::named<"num", "pause">([](int, double) {});

int main() { mp::Process process(dance, chorus::kw<"num"> = std::string("three"), chorus::kw<"pause"> = 0.5); }
