// error: pointer_to_a_member_cannot_travel_to_another_process

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

struct Machine {
    void run() {}
};

int main() { mp::Process process(&Machine::run, Machine{}); }
