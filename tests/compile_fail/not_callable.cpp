// error: function_cannot_be_called_with_these_arguments
// error: (*)(int), std::

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

void sing(int) {}

int main() { mp::Process process(sing, std::string("three")); }
