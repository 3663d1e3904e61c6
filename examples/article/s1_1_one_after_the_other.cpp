// 1.1: two functions, one after the other.
#include <chrono>
#include <thread>

#include <chorus/chorus.hpp>

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
    sing();
    dance();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    chorus::print("time taken:", took.count());
}
