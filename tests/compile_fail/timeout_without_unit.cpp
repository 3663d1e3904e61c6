// error g++: int
// error clang++: int

#include <chorus/chorus.hpp>

namespace mt = chorus::threading;

void work() {}

int main() {
    mt::Thread thread(work);
    thread.start();
    return thread.join(5) ? 0 : 1;
}
