// error: final

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

// A function of its own that would be ignored.
struct Singer : mp::Process {
    void run() {}
};

int main() {}
