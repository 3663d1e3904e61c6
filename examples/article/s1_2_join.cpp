// 1.2: join() waits for the processes; main goes on when they have ended.
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
    process1.join();
    process2.join();

    const auto start = std::chrono::steady_clock::now();
    std::this_thread::sleep_for(1s);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    chorus::print("this is a test ... ..., it took:", took.count());
}
