// error: type_cannot_travel_to_another_process
// error: reference_wrapper<int>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

void use(int&) {}

int main() {
    int number = 3;
    mp::Process process(use, std::ref(number));
}
