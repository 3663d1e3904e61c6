// A program may use <chorus/threading.hpp> without the other.
// compiles
#include <chorus/threading.hpp>

int main() {
    chorus::threading::Thread thread([](int number) { chorus::print(number); }, 3);
    thread.start();
    thread.join();
}
