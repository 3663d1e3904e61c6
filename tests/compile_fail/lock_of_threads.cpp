// error: type_cannot_travel_to_another_process
// error: Lock<chorus::memory::Home::thread>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;

void use(mt::Lock) {}

int main() { mp::Process process(use, mt::Lock()); }
