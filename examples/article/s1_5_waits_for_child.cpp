// 1.5: a program ends only when its child process has ended.
#include <chrono>
#include <thread>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;
using namespace std::chrono_literals;

void work() {
    for (int i = 0; i < 10; ++i) {
        std::this_thread::sleep_for(500ms);
        chorus::print("working ...");
    }
}

int main() {
    mp::Process sub_process(work);
    sub_process.start();

    std::this_thread::sleep_for(2s);
    chorus::print("the task is done!");
}
