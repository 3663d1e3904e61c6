// error: final

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

class Singer : public mp::Process {
public:
    Singer() : mp::Process([] {}) {}
    void run() {}
};

int main() { Singer().start(); }
