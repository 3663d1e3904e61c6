// interrupted CASE KIND: a program that Ctrl-C meets while it has a pool. KIND is "threads" or a start
// method. CASE is "default" or "handled": its workers' numbers come first; or "early": it is met again and
// again while its workers are started, and goes on.
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

}  // namespace

int main(int, char** arguments) {
    ::setpgid(0, 0);
    if (arguments[1] == std::string("handled")) std::signal(SIGINT, [](int) { ::_exit(3); });
    const std::string kind = arguments[2];
    const bool early = arguments[1] == std::string("early");
    if (kind == "threads") return early ? run_early<mt::Pool>() : run<mt::Pool>();
    mp::set_start_method(kind);
    return early ? run_early<mp::Pool>() : run<mp::Pool>();
}
