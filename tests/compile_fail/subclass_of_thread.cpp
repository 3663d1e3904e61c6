// error: final

#include <chorus/chorus.hpp>

namespace mt = chorus::threading;

class Singer : public mt::Thread {
public:
    Singer() : mt::Thread([] {}) {}
    void run() {}
};

int main() { Singer().start(); }
