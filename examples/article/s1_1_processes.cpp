// 1.1: the same two functions, each in a process of its own.
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
    const auto start = std::chrono::steady_clock::now();
    mp::Process process1(sing);
    mp::Process process2(dance);
    process1.start();
    process2.start();
    process1.join();
    process2.join();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    chorus::print("time taken:", took.count());
}
