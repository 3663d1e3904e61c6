// error: function_cannot_be_called_with_these_arguments
// error: (*)(int), std::

#include <chorus/chorus.hpp>

namespace mt = chorus::threading;

void sing(int) {}

int main() { mt::Thread thread(sing, std::string("three")); }
