// error: final

#include <chorus/chorus.hpp>

namespace mt = chorus::threading;

// A function of its own that would be ignored.
struct Singer : mt::Timer {
    void run() {}
};

int main() {}
