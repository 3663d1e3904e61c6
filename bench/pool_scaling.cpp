// Whether two workers do twice as much as one, fifty waits take as long as one, and a thousand idle workers
// are idle.
//
//     bench_pool_scaling [--quick]
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <time.h>
#include <unistd.h>

#include <chorus/chorus.hpp>

#include "children.hpp"
#include "rows.hpp"

namespace {

using namespace bench;
namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;
using namespace std::chrono_literals;

constexpr int limit = 2'000'000;
constexpr int step = 10'000;
constexpr int primes_below_limit = 148'933;

int count_primes(int from) {
    int found = 0;
    for (int i = std::max(from, 2); i < from + step; ++i) {
        bool prime = i % 2 != 0 || i == 2;
        for (int divisor = 3; prime && divisor * divisor <= i; divisor += 2) prime = i % divisor != 0;
        found += prime ? 1 : 0;
    }
    return found;
}

void expect(bool good, const char* what) {
    if (good) return;
    std::fprintf(stderr, "%s\n", what);
    std::exit(1);
}

// A CPU for each worker: else it is the system's choice that is measured.
template <class Value>
void pin_to_the_next(const Value& taken) {
    pin(std::atomic_ref(taken.value()).fetch_add(1));
}

// A task for each step: later ones take longer, so that large chunks would not share out evenly.
template <class Pool>
double nanoseconds_of_primes(Pool& pool) {
    std::vector<int> steps;
    for (int from = 0; from < limit; from += step) steps.push_back(from);
    int found = 0;
    const double elapsed = nanoseconds([&] {
        for (const int primes : pool.map({.chunksize = 1}, count_primes, steps)) found += primes;
    });
    expect(found == primes_below_limit, "the number of primes is wrong");
    return elapsed;
}

// The same by bare threads: the most that two CPUs of this machine do for any program.
double nanoseconds_of_primes(int threads) {
    std::atomic<int> next{0};
    std::atomic<int> found{0};
    const double elapsed = nanoseconds([&] {
        std::vector<std::jthread> all;
        for (int i = 0; i < threads; ++i) {
            all.emplace_back([&, i] {
                pin(i);
                for (int from = 0; (from = next.fetch_add(step)) < limit;) found += count_primes(from);
            });
        }
    });
    expect(found == primes_below_limit, "the number of primes is wrong");
    return elapsed;
}

template <class Pool, class Value>
void scale(const std::string& workers, int rounds) {
    const Value first(0);
    const Value second(0);
    Pool one(1, {.initializer = {pin_to_the_next<Value>, first}});
    Pool two(2, {.initializer = {pin_to_the_next<Value>, second}});
    nanoseconds_of_primes(one);  // its worker has to start
    nanoseconds_of_primes(two);
    race("scaling", "primes, 2 " + workers, {"2 workers", [&] { return nanoseconds_of_primes(two); }},
         {Limit{"half of what 1 takes", [&] { return nanoseconds_of_primes(one) / 2; }},
          Limit{"2 bare threads", [] { return nanoseconds_of_primes(2); }}},
         rounds);
}

void nap(int) { std::this_thread::sleep_for(20ms); }

void wait_fifty_times(int rounds) {
    mt::Pool pool(50);
    const std::vector<int> fifty(50);
    race("scaling", "50 waits of 20 ms on 50 threads", doing("mt::Pool", [&] { pool.map(nap, fifty); }),
         {Limit{doing("one wait", [] { nap(0); })}}, rounds);
}

// As utime and stime tell it, but not in hundredths of a second.
double processor_seconds(pid_t pid) {
    clockid_t clock{};
    timespec time{};
    if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &time) != 0)
        fail("the time that a process used");
    return double(time.tv_sec) + double(time.tv_nsec) / 1e9;
}

// This process and its children: the pool's, and the fork server.
std::vector<pid_t> family() {
    std::vector<pid_t> all{::getpid()};
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        std::ifstream file(entry.path() / "status");
        pid_t parent = 0;
        for (std::string word; file >> word;) {
            if (word == "PPid:" && file >> parent) break;
        }
        if (parent == ::getpid()) all.push_back(std::stoi(entry.path().filename().string()));
    }
    return all;
}

struct Weight {
    double proportional = 0;
    double unique = 0;
};

Weight bytes_of(pid_t pid) {
    Weight weight;
    std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
    double kilobytes = 0;
    for (std::string word; file >> word;) {
        if (word == "Pss:" && file >> kilobytes) weight.proportional = kilobytes * 1024;
        if ((word == "Private_Clean:" || word == "Private_Dirty:") && file >> kilobytes)
            weight.unique += kilobytes * 1024;
    }
    return weight;
}

void say_so_and_wait(mp::Semaphore begun, mp::Event end) {
    begun.release();
    end.wait();
}

void keep_workers_idle(int count, std::chrono::seconds time) {
    mp::Pool pool(count);
    std::vector<chorus::Future<void>> tasks;
    mp::Semaphore begun(0);
    mp::Event end;
    for (int i = 0; i < count; ++i) tasks.push_back(pool.submit(say_so_and_wait, begun, end));
    for (int i = 0; i < count; ++i) begun.acquire();  // each worker has one
    end.set();
    for (auto& task : tasks) task.get();
    const auto workers = pool.worker_pids();
    expect(int(workers.size()) == count, "a worker is missing");
    std::this_thread::sleep_for(1s);  // what follows their last task is over: from here on they are idle

    const auto processes = family();
    expect(int(processes.size()) > count, "not all processes are seen");
    const auto seconds = [&] {
        double sum = 0;
        for (const pid_t process : processes) sum += processor_seconds(process);
        return sum;
    };
    const double before = seconds();
    std::this_thread::sleep_for(time);
    const double used = seconds() - before;  // and what it takes to look
    const std::string idle = std::to_string(count) + " idle workers";
    print("capacity", idle + ", CPU time of all in " + std::to_string(time.count()) + " s",
          {"mp::Pool", Kind::ours, {used * 1e9}}, {});

    Weight sum;
    for (const pid_t worker : workers) {
        const Weight weight = bytes_of(worker);
        sum.proportional += weight.proportional / count;
        sum.unique += weight.unique / count;
    }
    print("capacity", idle + ", memory of each (PSS)", {"mp::Pool", Kind::ours, {sum.proportional}}, {},
          "bytes");
    print("capacity", idle + ", memory of each (USS)", {"mp::Pool", Kind::ours, {sum.unique}}, {}, "bytes");
}

}  // namespace

int main(int argc, char** argv) {
    const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
    const int rounds = quick ? 3 : 7;
    scale<mp::Pool, mp::Value<int>>("processes", rounds);
    scale<mt::Pool, mt::Value<int>>("threads", rounds);
    wait_fifty_times(quick ? 5 : 15);
    keep_workers_idle(1000, quick ? 2s : 10s);
}
