// interrupted CASE KIND: a program that Ctrl-C meets while it has a pool. KIND is "threads" or a start
// method. CASE is "default" or "handled": its workers' numbers come first; "early": it is met again and
// again while its workers are started, and goes on; or "drain": SIGTERM meets it, which it handles.
#include <csignal>
#include <string>
#include <type_traits>
#include <vector>

#include <sched.h>
#include <unistd.h>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;

namespace {

int for_ever(mp::Semaphore begun) {
    begun.release();
    for (;;) ::pause();
}

template <class Pool>
int run() {
    mp::Semaphore begun(0);
    Pool pool(2);
    pool.submit(for_ever, begun);
    pool.submit(for_ever, begun);
    begun.acquire();
    begun.acquire();
    std::string pids;
    while (std::is_same_v<Pool, mp::Pool> && pool.worker_pids().size() < 2)
        ::sched_yield();  // they may have begun before we are told
    for (const int pid : pool.worker_pids()) pids += std::to_string(pid) + " ";
    chorus::print(pids);
    ::kill(0, SIGINT);  // as a terminal does: the whole group
    for (;;) ::pause();
}

int square(int x) { return x * x; }

template <class Pool>
int run_early() {
    std::signal(SIGINT, [](int) {});
    for (int round = 0; round < 5; ++round) {
        Pool pool(6);
        std::vector<chorus::Future<int>> squares;
        for (int i = 0; i < 6; ++i) squares.push_back(pool.submit(square, i));
        while (!squares.back().done()) {
            ::kill(0, SIGINT);
            ::usleep(100);
        }
        for (int i = 0; i < 6; ++i) {
            if (squares[static_cast<std::size_t>(i)].get() != i * i) return 1;
        }
    }
    return 0;
}

int nap(mp::Semaphore begun) {
    begun.release();
    ::usleep(100'000);
    return 7;
}

volatile std::sig_atomic_t told_to_end = 0;

// As a service does that is told to end: what has begun, and what waits, is done.
template <class Pool>
int drain() {
    std::signal(SIGTERM, [](int) { told_to_end = 1; });
    mp::Semaphore begun(0);
    Pool pool(2);
    std::vector<chorus::Future<int>> naps;
    for (int i = 0; i < 4; ++i) naps.push_back(pool.submit(nap, begun));
    begun.acquire();
    begun.acquire();
    ::kill(0, SIGTERM);  // as a manager of services does: the whole group
    for (const auto& each : naps) {
        if (each.get() != 7) return 1;
    }
    return told_to_end == 1 ? 0 : 2;
}

}  // namespace

int main(int, char** arguments) {
    ::setpgid(0, 0);
    if (arguments[1] == std::string("handled")) std::signal(SIGINT, [](int) { ::_exit(3); });
    const std::string kind = arguments[2];
    const bool early = arguments[1] == std::string("early");
    if (arguments[1] == std::string("drain")) {
        if (kind == "threads") return drain<mt::Pool>();
        mp::set_start_method(kind);
        return drain<mp::Pool>();
    }
    if (kind == "threads") return early ? run_early<mt::Pool>() : run<mt::Pool>();
    mp::set_start_method(kind);
    return early ? run_early<mp::Pool>() : run<mp::Pool>();
}
