// 3.5: a process that crashes harms no other; the caller gets a report of the crash.
#include <chrono>
#include <thread>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;
using namespace std::chrono_literals;

void sing(int num) {
    for (int i = 0; i < num; ++i) {
        chorus::print("sing ...");
        std::this_thread::sleep_for(500ms);
    }
}

// Kept out of line, so that an optimised build shows both functions in the report.
[[gnu::noinline]] int steps_of(const int* partner) { return *partner; }

int dance() {
    int* volatile nobody = nullptr;  // volatile, lest the compiler foresees the crash
    return 1 + steps_of(nobody);
}

int main() {
    mp::Process process1(sing, 3);
    process1.start();

    try {
        chorus::print("dance returned", mp::run(dance));
    } catch (const chorus::WorkerDied& death) {
        chorus::print("dance crashed:", death.what());
        chorus::print("its stack, innermost first:");
        chorus::print(death.stack());
    }

    process1.join();
    chorus::print("sing was not disturbed, its exit code is", process1.exitcode());
}
