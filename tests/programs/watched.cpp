// A program with a pool of each kind and a queue, to be looked at from outside. Says `ready` and its pid, and
// goes on until its input ends.
#include <cstdio>
#include <iostream>
#include <mutex>
#include <string>
#include <vector>

#include <unistd.h>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;

namespace {

int square(int x) { return x * x; }
int await(mp::Event go) {
    go.wait();
    return 0;
}
void doze() { ::pause(); }
void hold(mp::Queue<int> queue, mp::Lock lock, mp::Event go) {
    const std::scoped_lock guard(lock);
    go.wait();
    (void)queue.qsize();
}

}  // namespace

int main() {
    mp::Event go;
    mp::Queue<int> queue(100);
    for (int i = 0; i < 7; ++i) queue.put(i);
    mp::Process holder({.name = "holder", .daemon = true}, hold, queue, mp::Lock(), go);
    holder.start();
    mp::Process sleeper({.name = "sleeper", .daemon = true}, doze);  // uses nothing that is shared
    sleeper.start();
    mp::Process odd({.name = "\x1b[31mred\nline \u4e2d", .daemon = true}, doze);
    odd.start();
    mp::Pool processes(2, {.name = "Squares"});
    mt::Pool threads(3, {.name = "Threads"});
    for (int i = 0; i < 5; ++i) processes.submit(square, i).get();
    std::vector<chorus::Future<int>> waits;
    for (int i = 0; i < 2; ++i) waits.push_back(processes.submit(await, go));
    while (!waits[0].running() || !waits[1].running()) ::usleep(1000);
    for (int i = 0; i < 4; ++i) threads.submit(square, i).get();
    for (int i = 0; i < 5; ++i) waits.push_back(threads.submit(await, go));
    while (threads.unfinished() != 5)
        ::usleep(1000);  // a thread that has answered takes itself off afterwards
    std::printf("ready %d\n", static_cast<int>(::getpid()));
    std::fflush(stdout);
    for (std::string line; std::getline(std::cin, line);) {
        if (line == "put") queue.put(8);
    }
    go.set();
    holder.join();
}
