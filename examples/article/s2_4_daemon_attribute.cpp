// 2.4: a daemon thread is ended with the program; set before the start.
#include <chrono>
#include <thread>

#include <chorus/chorus.hpp>

namespace mt = chorus::threading;
using namespace std::chrono_literals;

void work() {
    for (int i = 0; i < 10; ++i) {
        std::this_thread::sleep_for(500ms);
        chorus::print("working ...");
    }
}

int main() {
    mt::Thread sub_thread(work);
    sub_thread.set_daemon(true);
    sub_thread.start();

    std::this_thread::sleep_for(2s);
    chorus::print("the task is done!");
}
