// error: type_cannot_travel_to_another_process
// error clang++: int *
// error g++: int*

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

void use(int*) {}

int main() {
    int number = 3;
    mp::Process process(use, &number);
}
