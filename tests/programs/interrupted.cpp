// interrupted CASE KIND: a program that Ctrl-C meets while it has a pool. KIND is "threads" or a start method, CASE
// "default" or "handled". Its workers' numbers come first.
#include <csignal>
#include <string>
#include <type_traits>

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
    while (std::is_same_v<Pool, mp::Pool> && pool.worker_pids().size() < 2) ::sched_yield();  // they may have begun before we are told
    for (const int pid : pool.worker_pids()) pids += std::to_string(pid) + " ";
    chorus::print(pids);
    ::kill(0, SIGINT);  // as a terminal does: the whole group
    for (;;) ::pause();
}

}  // namespace

int main(int, char** arguments) {
    ::setpgid(0, 0);
    if (arguments[1] == std::string("handled")) std::signal(SIGINT, [](int) { ::_exit(3); });
    const std::string kind = arguments[2];
    if (kind == "threads") return run<mt::Pool>();
    mp::set_start_method(kind);
    return run<mp::Pool>();
}
