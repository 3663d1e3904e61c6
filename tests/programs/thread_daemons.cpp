// Daemon threads that are busy with a static object while the program ends: none may touch it once its
// destructor has run.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <latch>
#include <string>
#include <vector>

#include <sched.h>
#include <unistd.h>

#include <chorus/chorus.hpp>

namespace mt = chorus::threading;

namespace {

class Shared {
public:
    ~Shared() {
        is_destroyed_ = true;
        // A daemon that still ran would be given its turn here.
        for (int i = 0; i < 2000; ++i) ::sched_yield();
        std::puts("destroyed");
    }
    void use() {
        if (is_destroyed_) {
            constexpr char message[] = "a daemon used a static object after its destruction\n";
            [[maybe_unused]] const auto written = ::write(2, message, sizeof message - 1);
            ::_exit(99);
        }
        used_.fetch_add(1);
    }

private:
    std::atomic<bool> is_destroyed_{false};
    std::atomic<long> used_{0};
};
Shared shared;

}  // namespace

int main(int, char** argv) {
    std::latch running(4);
    const auto begin = [&running] {
        shared.use();
        running.count_down();
    };
    mt::Thread({.daemon = true},
               [begin] {  // only computes
                   for (begin();;) shared.use();
               })
        .start();
    mt::Thread({.daemon = true},
               [begin] {  // is mostly inside the allocator
                   for (begin();;) {
                       shared.use();
                       std::vector<std::string> texts(10, std::string(1000, 'x'));
                       if (texts.size() != 10) return;
                   }
               })
        .start();
    mt::Thread({.daemon = true},
               [begin] {  // is mostly inside the kernel
                   for (begin();;) {
                       shared.use();
                       ::sched_yield();
                   }
               })
        .start();
    mt::Thread({.daemon = true},
               [begin] {  // is mostly inside a stream's lock
                   for (begin();;) {
                       shared.use();
                       std::fflush(stdout);
                   }
               })
        .start();
    running.wait();
    if (std::string(argv[1]) == "exit") std::exit(0);
    return 0;
}
