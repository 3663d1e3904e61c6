// What failures cost a pool: a task that throws an exception whose type is not registered, and a worker that
// crashes. Both are reported with the stack.
//
//     bench_pool_failures [--quick]
#include <csignal>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include <sys/resource.h>

#include <chorus/chorus.hpp>

#include "rows.hpp"

namespace {

using namespace bench;
namespace mp = chorus::multiprocessing;

struct NotRegistered : std::exception {
    const char* what() const noexcept override { return "rejected"; }
};

[[gnu::noinline]] int throw_not_registered(int number) {
    if (number >= 0) throw NotRegistered();
    return number;
}
[[gnu::noinline]] int throw_runtime_error(int number) {
    if (number >= 0) throw std::runtime_error("rejected");
    return number;
}
[[gnu::noinline]] int crash(int number) {
    if (number >= 0) std::raise(SIGSEGV);
    return number;
}

void expect(bool good, const char* what) {
    if (good) return;
    std::fprintf(stderr, "%s\n", what);
    std::exit(1);
}

// From the call to the handler, one after the other. The stack is not read, as in most handlers.
template <class Exception>
double nanoseconds_a_throw(mp::Pool& pool, int (*function)(int), int tasks) {
    int caught = 0;
    const double time = nanoseconds([&] {
        for (int i = 0; i < tasks; ++i) {
            try {
                pool.submit(function, i).get();
            } catch (const Exception&) {
                ++caught;
            }
        }
    });
    expect(caught == tasks, "an exception has not arrived");
    return time / tasks;
}

double cpu_nanoseconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto of = [](const timeval& time) {
        return double(time.tv_sec) * 1e9 + double(time.tv_usec) * 1e3;
    };
    return of(usage.ru_utime) + of(usage.ru_stime);
}

// CPU time of this process for a death, its report and the worker that comes instead.
double cpu_nanoseconds_a_crash(mp::Pool& pool, int crashes) {
    const double begin = cpu_nanoseconds();
    for (int i = 0; i < crashes; ++i) {
        try {
            pool.submit(crash, i).get();
            expect(false, "a worker has not died");
        } catch (const chorus::WorkerDied& died) {
            expect(died.stack().find("crash(int)") != std::string::npos, "the stack has no names");
        }
    }
    return (cpu_nanoseconds() - begin) / crashes;
}

}  // namespace

int main(int argc, char** argv) {
    const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
    const int rounds = quick ? 3 : 9;
    const int tasks = quick ? 2'000 : 10'000;
    {
        mp::Pool pool(1);
        const auto measure = [&]<class Exception>(const char* name, int (*function)(int)) {
            nanoseconds_a_throw<Exception>(pool, function, tasks / 10);
            return Contender{name, [&pool, function, tasks] {
                                 return nanoseconds_a_throw<Exception>(pool, function, tasks);
                             }};
        };
        race("pool", "mp::Pool one by one, each throws a type that is not registered",
             measure.operator()<chorus::RemoteError>("not registered", throw_not_registered),
             {Limit{measure.operator()<std::runtime_error>("registered", throw_runtime_error)}}, rounds);
    }
    mp::Pool pool(1);
    const Figures first{"mp::Pool", Kind::ours, {cpu_nanoseconds_a_crash(pool, 1)}};
    print("pool", "the first crash report, CPU time of the parent", first, {});
    cpu_nanoseconds_a_crash(pool, 99);
    Figures later{"mp::Pool", Kind::ours, {}};
    for (int round = 0; round < rounds; ++round) later.values.push_back(cpu_nanoseconds_a_crash(pool, 10));
    print("pool", "the hundredth crash report, CPU time of the parent", later, {});
}
