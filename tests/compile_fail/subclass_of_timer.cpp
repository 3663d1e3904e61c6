// error: final

#include <chorus/chorus.hpp>

namespace mt = chorus::threading;

class Singer : public mt::Timer {
public:
    Singer() : mt::Timer(std::chrono::seconds(1), [] {}) {}
    void run() {}
};

int main() { Singer().start(); }
