// error: final

#include <chorus/chorus.hpp>

namespace mt = chorus::threading;

// A function of its own that would be ignored.
struct Singer : mt::Thread {
    void run() {}
};

int main() {}
