// What the threads of one process share does not travel to another.
// error: type_cannot_travel_to_another_process
// error: Value

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;

void use(mt::Value<int>) {}

int main() {
    mt::Value<int> number(0);
    mp::Process process(use, number);
}
