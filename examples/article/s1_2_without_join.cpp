// 1.2: main does not wait for its processes, and says its own line in between.
#include <chrono>
#include <thread>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;
using namespace std::chrono_literals;

void sing() {
    for (int i = 0; i < 3; ++i) {
        chorus::print("sing ...");
        std::this_thread::sleep_for(500ms);
    }
}

void dance() {
    for (int i = 0; i < 3; ++i) {
        chorus::print("dance ...");
        std::this_thread::sleep_for(500ms);
    }
}

int main() {
    mp::Process process1(sing);
    mp::Process process2(dance);
    process1.start();
    process2.start();

    std::this_thread::sleep_for(1s);
    chorus::print("this is a test ... ...");
}
