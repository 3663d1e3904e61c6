// error: type_cannot_lie_in_shared_memory
// error: because_it_points_into_the_memory_of_one_process
// error clang++: int *
// error g++: int*

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

int main() {
    int number = 3;
    mp::Value<int*> pointer(&number);
}
