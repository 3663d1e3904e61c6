// What does a task cost, and a start, where others want the processors too?
//
//     bench_busy_machine [--quick]
//
// Two processes compute without end beside all of it.
#include <csignal>
#include <cstring>
#include <vector>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chorus/chorus.hpp>

#include "pool_rivals.hpp"
#include "rows.hpp"

namespace {

using namespace bench;
namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;

int increment(int x) { return x + 1; }
void nothing() {}

class BusyLoops {
public:
    explicit BusyLoops(int count) {
        for (int i = 0; i < count; ++i) {
            const pid_t pid = ::_Fork();
            if (pid == 0) {
                ::prctl(PR_SET_PDEATHSIG, SIGKILL);
                for (volatile unsigned n = 0;;) n = n + 1;
            }
            pids_.push_back(pid);
        }
    }
    ~BusyLoops() {
        for (const pid_t pid : pids_) {
            ::kill(pid, SIGKILL);
            ::waitpid(pid, nullptr, 0);
        }
    }
    BusyLoops(const BusyLoops&) = delete;
    BusyLoops& operator=(const BusyLoops&) = delete;

private:
    std::vector<pid_t> pids_;
};

template <class Pool>
Contender one_by_one(const char* name, Pool& pool, int tasks) {
    pool.submit(increment, 0).get();
    return {name, [&pool, tasks] {
                return nanoseconds([&] {
                           for (int i = 0; i < tasks; ++i) {
                               if (pool.submit(increment, i).get() != i + 1) std::abort();
                           }
                       }) /
                       tasks;
            }};
}

template <class Start>
Contender starts(const char* name, int count, Start start) {
    start();
    return {name, [count, start] {
                return nanoseconds([&] {
                           for (int i = 0; i < count; ++i) start();
                       }) /
                       count;
            }};
}

}  // namespace

int main(int argc, char** argv) {
    const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
    const int rounds = quick ? 5 : 15;
    const int tasks = quick ? 200 : 1000;
    const int count = quick ? 20 : 60;
    const BusyLoops busy(2);
    AsioPool asio(2);
    const Rival boost{one_by_one("Asio thread_pool", asio, tasks)};
    {
        mp::Pool pool(2);
        race("busy", "mp::Pool one by one, beside two busy loops", one_by_one("mp::Pool", pool, tasks),
             {boost}, rounds);
    }
    {
        mt::Pool pool(2);
        race("busy", "mt::Pool one by one, beside two busy loops", one_by_one("mt::Pool", pool, tasks),
             {boost}, rounds);
    }
    const Limit raw{starts("fork and waitpid", count, [] {
        const pid_t pid = ::_Fork();
        if (pid == 0) ::_exit(0);
        ::waitpid(pid, nullptr, 0);
    })};
    race("busy", "mp::Process, start and join, beside two busy loops",
         starts("mp::Process", count,
                [] {
                    mp::Process process(nothing);
                    process.start();
                    process.join();
                }),
         {raw}, rounds);
}
