// 2.1: two functions, each in a thread of its own.
#include <chrono>
#include <thread>

#include <chorus/chorus.hpp>

namespace mt = chorus::threading;
using namespace std::chrono_literals;

void sing() {
    for (int i = 0; i < 3; ++i) {
        chorus::print("singing ...");
        std::this_thread::sleep_for(1s);
    }
}

void dance() {
    for (int i = 0; i < 3; ++i) {
        chorus::print("dancing ...");
        std::this_thread::sleep_for(1s);
    }
}

int main() {
    const auto start = std::chrono::steady_clock::now();
    mt::Thread thread1(sing);
    mt::Thread thread2(dance);
    thread1.start();
    thread2.start();
    thread1.join();
    thread2.join();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;

    chorus::print("time taken:", took.count());
}
