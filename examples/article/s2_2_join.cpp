// 2.2: join() waits for the threads; main goes on when they have ended.
#include <chrono>
#include <thread>

#include <chorus/chorus.hpp>

namespace mt = chorus::threading;
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
    mt::Thread thread1(sing);
    mt::Thread thread2(dance);
    thread1.start();
    thread2.start();
    thread1.join();
    thread2.join();

    const auto start = std::chrono::steady_clock::now();
    std::this_thread::sleep_for(1s);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    chorus::print("this is a test ... ..., it took:", took.count());
}
