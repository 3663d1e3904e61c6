// 2.5: five threads, started in order; the order in which they print is the scheduler's.
#include <chrono>
#include <thread>

#include <chorus/chorus.hpp>

namespace mt = chorus::threading;
using namespace std::chrono_literals;

void work() {
    std::this_thread::sleep_for(1s);
    chorus::print(mt::current_thread());
}

int main() {
    for (int i = 0; i < 5; ++i) {
        mt::Thread sub_thread(work);
        sub_thread.start();
    }
}
