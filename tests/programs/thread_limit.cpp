// Starts a thread where the system allows none, then where it does again.
#include <cstdio>

#include <sys/resource.h>
#include <unistd.h>

#include <chorus/chorus.hpp>

namespace mt = chorus::threading;

int main() {
    // The limit does not hold for root. User 65534 has no other process here that could count.
    if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) return 77;
    rlimit limit{};
    ::getrlimit(RLIMIT_NPROC, &limit);
    const rlimit none{0, limit.rlim_max};
    ::setrlimit(RLIMIT_NPROC, &none);
    bool ran = false;
    mt::Thread thread([&] { ran = true; });
    try {
        thread.start();
        std::puts("started");
    } catch (const chorus::OsError& error) {
        std::printf("%s\n", error.what());
    }
    std::printf("alive: %zu\n", mt::active_count());
    ::setrlimit(RLIMIT_NPROC, &limit);
    thread.start();
    thread.join();
    std::printf("again: %s\n", ran ? "ran" : "did not run");
    return 0;
}
