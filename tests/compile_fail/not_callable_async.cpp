// error: function_cannot_be_called_with_these_arguments
// error: (*)(int)>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

int twice(int n) { return 2 * n; }

int main() { return mp::async(twice).get(); }
