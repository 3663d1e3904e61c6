// How a program with threads ends: one way for each word it is given.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <string>

#include <unistd.h>

#include <chorus/chorus.hpp>

namespace mt = chorus::threading;

namespace {

// A thread that waits for the main thread goes on when main's code has ended: so this runs after it,
// whatever the scheduler does.
void end_after_main() {
    mt::main_thread().join();
    std::puts("the thread ends after main");
}

void chain_link(int number) {
    mt::main_thread().join();
    if (number < 3) {
        mt::Thread next(chain_link, number + 1);
        next.start();
        next.join();
    }
    std::puts(("link " + std::to_string(number)).c_str());
}

void sleep_for_ever() {
    for (;;) ::pause();
}

void fail() { throw std::runtime_error("broken on purpose"); }

void fail_in_thread() {
    mt::Thread thread({.name = "unlucky"}, fail);
    thread.start();
    thread.join();
    std::puts("main goes on");
}

}  // namespace

int main(int, char** argv) {
    const std::string way = argv[1];
    if (way == "return" || way == "exit") {
        mt::Thread(end_after_main).start();
        std::puts("main ends");
        if (way == "exit") std::exit(5);
        return 3;
    }
    if (way == "chain") {
        mt::Thread(chain_link, 1).start();
        std::puts("main ends");
    } else if (way == "daemon") {
        mt::Thread({.daemon = true}, sleep_for_ever).start();
        std::puts("main ends");
        std::fflush(stdout);
    } else if (way == "throw") {
        fail_in_thread();
    } else if (way == "stream-removed") {
        std::cerr.rdbuf(nullptr);
        fail_in_thread();
    } else if (way == "stderr-closed") {
        ::close(2);
        fail_in_thread();
    } else if (way == "interrupt") {
        mt::Thread thread([] { mt::interrupt_main(); });
        thread.start();
        thread.join();
        sleep_for_ever();
    }
    return 0;
}
