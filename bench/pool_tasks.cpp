// What a task costs that does next to nothing: a million of them in flight, and one after the other, to a
// worker that sleeps and to one that is awake.
//
//     bench_pool_tasks [--quick]
#include <cstring>
#include <string>
#include <vector>

#include <chorus/chorus.hpp>

#include "bare_ring.hpp"
#include "pool_rivals.hpp"
#include "rows.hpp"

namespace {

using namespace bench;
namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;

constexpr int workers = 2;
constexpr int cpu_of_caller = 0;
constexpr int cpu_of_worker = 1;

int increment(int number) { return number + 1; }
void pin_worker() { pin(cpu_of_worker); }

void check(bool good) {
    if (good) return;
    std::fprintf(stderr, "a task gave back what it should not\n");
    std::exit(1);
}

// From the first call to the last result, and until all of it is freed. Pools made before, so no worker has
// to start.
template <class Pool>
double nanoseconds_a_task(Pool& pool, int tasks) {
    return nanoseconds([&] {
               std::vector<decltype(pool.submit(increment, 0))> results;
               results.reserve(std::size_t(tasks));
               for (int i = 0; i < tasks; ++i) results.push_back(pool.submit(increment, i));
               for (int i = 0; i < tasks; ++i) check(results[std::size_t(i)].get() == i + 1);
           }) /
           tasks;
}

template <class Pool>
Contender in_flight(const char* name, Pool& pool, int tasks) {
    nanoseconds_a_task(pool, 10'000);
    return {name, [&pool, tasks] { return nanoseconds_a_task(pool, tasks); }};
}

void at_once() {}

// The median of one call's way to a worker and back. `before_each` runs before each, untimed.
template <class Pool, class Before>
double one_by_one(Pool& pool, double seconds, Before before_each) {
    const Pinned here(cpu_of_caller);
    std::vector<double> times;
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    for (int i = 0; Clock::now() < end; ++i) {
        before_each();
        const double time = nanoseconds([&] { check(pool.submit(increment, i).get() == i + 1); });
        if (i > 100) times.push_back(time);
    }
    return median(std::move(times));
}

template <class Pool>
Contender awake(const char* name, Pool& pool, double seconds) {
    return {name, [&pool, seconds] { return one_by_one(pool, seconds, at_once); }};
}

// Workers stay on the other CPU, as the rivals' do: else the system's choice of CPUs is what is measured.
void race_one_by_one(int rounds, double seconds) {
    AsioPool asio(1);
    asio.submit(pin_worker).get();
    {
        mp::Pool pool(1, {.initializer = pin_worker});
        pool.submit(increment, 0).get();
        const pid_t worker = pool.worker_pids().front();
        const auto when_asleep = [worker] { wait_until_asleep(worker); };
        const auto echo_asleep = [](pid_t echo) { wait_until_asleep(echo); };
        const Contender ours{"mp::Pool", [&] { return one_by_one(pool, seconds, when_asleep); }};
        const Limit bare{"bare futex ring", [&] {
                             return round_trip<BareRing<Waits::asleep>>(cpu_of_caller, cpu_of_worker, seconds,
                                                                        echo_asleep);
                         }};
        // Its caller looks for a while before it sleeps too, as our caller does.
        const Limit polite{"bare polite ring", [&] {
                               return round_trip<BareRing<Waits::politely>>(cpu_of_caller, cpu_of_worker,
                                                                            seconds, echo_asleep);
                           }};
        race("pool", "mp::Pool one by one, sleeping worker", ours, {bare}, rounds);
        race("pool", "mp::Pool one by one, sleeping worker, caller awake", ours, {polite}, rounds);
        race("pool", "mp::Pool one by one, awake", awake("mp::Pool", pool, seconds),
             {Rival{awake("Asio thread_pool", asio, seconds)}}, rounds);
    }
    mt::Pool pool(1, {.initializer = pin_worker});
    pool.submit(increment, 0).get();
    TbbPool tbb(1);
    tbb.submit(pin_worker).get();  // it has one thread, which is the same for as long as the program runs
    race("pool", "mt::Pool one by one, awake", awake("mt::Pool", pool, seconds),
         {Rival{awake("Asio thread_pool", asio, seconds)}, Rival{awake("TBB task_arena", tbb, seconds)}},
         rounds);
}

}  // namespace

int main(int argc, char** argv) {
    const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
    const int rounds = quick ? 3 : 7;
    const int tasks = quick ? 200'000 : 1'000'000;
    AsioPool asio(workers);
    const Rival boost{in_flight("Asio thread_pool", asio, tasks)};
    {
        mp::Pool pool(workers);
        race("pool", "mp::Pool tasks in flight, each", in_flight("mp::Pool", pool, tasks), {boost}, rounds);
    }
    {
        mt::Pool pool(workers);
        TbbPool tbb(workers);
        race("pool", "mt::Pool tasks in flight, each", in_flight("mt::Pool", pool, tasks),
             {boost, Rival{in_flight("TBB task_arena", tbb, tasks)}}, rounds);
    }
    race_one_by_one(rounds, quick ? 0.1 : 0.3);
}
