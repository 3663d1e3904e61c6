// error: no matching
// error: Barrier

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

int main() {
    int rounds = 0;
    mp::Barrier barrier(2, [&rounds] { ++rounds; });
}
