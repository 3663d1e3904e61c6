// A program may use <chorus/multiprocessing.hpp> without the other.
// compiles
#include <chorus/multiprocessing.hpp>

int main() {
    chorus::multiprocessing::Process process([](int number) { chorus::print(number); }, 3);
    process.start();
    process.join();
}
