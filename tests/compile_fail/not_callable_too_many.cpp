// error: function_cannot_be_called_with_these_arguments
// error: (*)(int), int, int>

#include <chorus/chorus.hpp>

namespace mt = chorus::threading;

void sing(int) {}

int main() { mt::Thread thread(sing, 1, 2); }
