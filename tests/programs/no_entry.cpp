// A host whose main is not Chorus's, as a plug-in or an interpreter's extension finds one: linked without its
// entry. What its copies by fork() see of locks.
#include <cstdio>

#include <sys/wait.h>
#include <unistd.h>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;

namespace {

template <class Function>
void in_copy(Function function) {
    std::fflush(stdout);
    const pid_t pid = ::fork();
    if (pid == 0) {
        function();
        std::fflush(stdout);
        ::_exit(0);
    }
    ::waitpid(pid, nullptr, 0);
}

void try_to_acquire(mp::RLock& lock) {
    std::puts(lock.acquire(chorus::now) ? "acquired" : "held by another");
}

}  // namespace

int main() {
    mp::RLock lock;
    lock.acquire();
    in_copy([&] { try_to_acquire(lock); });
    in_copy([&] { in_copy([&] { try_to_acquire(lock); }); });
    lock.release();
    in_copy([&] {
        try_to_acquire(lock);
        lock.release();
    });

    mp::Lock left_behind;
    in_copy([&] { left_behind.acquire(); });
    try {
        left_behind.acquire(std::chrono::seconds(20));
        std::puts("nothing was noticed");
    } catch (const chorus::OwnerDied&) {
        std::puts("its owner has died");
    }
    mt::Pool pool(2);
    std::printf("%d\n", pool.submit([](int n) { return n * n; }, 7).get());
}
