// 2.3: arguments by position, and by the name of the parameter.
#include <chrono>
#include <thread>

#include <chorus/chorus.hpp>

namespace mt = chorus::threading;
using namespace std::chrono_literals;

void sing(int num) {
    for (int i = 0; i < num; ++i) {
        chorus::print("sing ...");
        std::this_thread::sleep_for(500ms);
    }
}

constexpr auto dance = chorus::named<"num">([](int num) {
    for (int i = 0; i < num; ++i) {
        chorus::print("dance ...");
        std::this_thread::sleep_for(500ms);
    }
});

int main() {
    mt::Thread thread1(sing, 3);
    mt::Thread thread2(dance, chorus::kw<"num"> = 3);
    thread1.start();
    thread2.start();
}
