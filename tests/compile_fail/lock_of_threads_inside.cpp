// error: type_cannot_travel_to_another_process
// error: BasicEvent<
// error: Sharing::threads>

#include <vector>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;

struct Job {
    mp::Lock lock;
    std::vector<mt::Event> events;
};
void use(const Job&) {}

int main() { mp::Process process(use, Job()); }
