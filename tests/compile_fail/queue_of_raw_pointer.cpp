// error: type_cannot_travel_to_another_process
// error clang++: int *
// error g++: int*

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

int main() {
    int number = 3;
    mp::Queue<int*> queue;
    queue.put(&number);
}
