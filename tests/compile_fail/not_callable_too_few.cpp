// error: function_cannot_be_called_with_these_arguments
// error: (*)(int)>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

void sing(int) {}

int main() { mp::Process process(sing); }
