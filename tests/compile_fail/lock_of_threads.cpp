// error: type_cannot_travel_to_another_process
// error: BasicLock<
// error: Sharing::threads>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;

void use(mt::Lock) {}

int main() { mp::Process process(use, mt::Lock()); }
