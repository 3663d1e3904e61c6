// error: type_cannot_travel_to_another_process
// error: Derived

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

struct Base {
    int below = 0;
};
struct Derived : Base {
    int above = 0;
};
void use(const Derived&) {}

int main() { mp::Process process(use, Derived()); }
