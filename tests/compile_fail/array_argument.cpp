// error: array_would_travel_as_a_pointer
// error: pass_a_std_vector_or_std_to_array_of_it

#include <span>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

void add(std::span<const int>) {}

int main() {
    const int numbers[] = {1, 2, 3};
    mp::Process process(add, numbers);
}
