// error: function_cannot_be_called_with_these_arguments
// error: <int>

#include <chorus/chorus.hpp>

namespace mt = chorus::threading;

int main() { mt::Thread thread(3); }
