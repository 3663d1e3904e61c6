// 1.4: each process tells its own pid and its parent's.
#include <chrono>
#include <thread>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;
using namespace std::chrono_literals;

void sing(int num) {
    chorus::print("pid of sing's parent:", chorus::getppid());
    chorus::print("pid of sing:", chorus::getpid());
    for (int i = 0; i < num; ++i) {
        chorus::print("sing ...");
        std::this_thread::sleep_for(500ms);
    }
}

constexpr auto dance = chorus::named<"num">([](int num) {
    chorus::print("pid of dance's parent:", chorus::getppid());
    chorus::print("pid of dance:", chorus::getpid());
    for (int i = 0; i < num; ++i) {
        chorus::print("dance ...");
        std::this_thread::sleep_for(500ms);
    }
});

int main() {
    chorus::print("pid of the program's parent (the terminal or shell):", chorus::getppid());
    chorus::print("pid of the program:", chorus::getpid());

    mp::Process process1(sing, 3);
    mp::Process process2(dance, chorus::kw<"num"> = 3);
    process1.start();
    process2.start();
}
