// What it costs to take a lock that is free and to give it back, and what it costs when two want it.
//
//     bench_locks [--quick]
#include <cstdint>
#include <cstring>
#include <future>
#include <mutex>
#include <thread>

#include <chorus/chorus.hpp>

#include "children.hpp"
#include "rows.hpp"

namespace {

using namespace bench;
namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;

class RobustMutex {
public:
    RobustMutex() : mutex_(shared<pthread_mutex_t>()) {
        pthread_mutexattr_t attributes;
        ::pthread_mutexattr_init(&attributes);
        ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
        ::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
        ::pthread_mutex_init(&mutex_, &attributes);
        ::pthread_mutexattr_destroy(&attributes);
    }
    void lock() {
        if (::pthread_mutex_lock(&mutex_) != 0) fail("lock");
    }
    void unlock() { ::pthread_mutex_unlock(&mutex_); }

private:
    pthread_mutex_t& mutex_;
};

constexpr int times = 20'000;  // a turn

template <class Lock>
auto taking(Lock& lock, std::uint64_t& counter) {
    return [&] {
        lock.lock();
        counter = counter + 1;
        asm volatile("" : : : "memory");
        lock.unlock();
    };
}

// Nanoseconds for each time that one of two threads had it.
template <class Lock>
double fought_over(int each) {
    Lock lock;
    struct alignas(64) Counter {
        std::uint64_t value = 0;
    } counter;
    std::atomic<int> ready{0};
    const auto fight = [&](int cpu) {
        pin(cpu);
        ++ready;
        while (ready < 2) __builtin_ia32_pause();
        for (int i = 0; i < each; ++i) {
            lock.lock();
            counter.value = counter.value + 1;
            lock.unlock();
        }
    };
    const double elapsed = nanoseconds([&] {
        std::jthread one(fight, 0);
        std::jthread two(fight, 1);
    });
    if (counter.value != 2 * std::uint64_t(each)) {
        std::fprintf(stderr, "that is no lock\n");
        std::exit(1);
    }
    return elapsed / (2.0 * each);
}

}  // namespace

int main(int argc, char** argv) {
    const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
    const int rounds = quick ? 31 : 101;
    std::uint64_t counter = 0;

    // A process with one thread is spared what locks cost in all others.
    std::promise<void> end;
    std::jthread another([until = end.get_future()]() mutable { until.wait(); });
    {
        mp::Lock ours;
        RobustMutex rival;
        race("lock", "mp::Lock, free", doing("mp::Lock", taking(ours, counter), times),
             {Rival{doing("robust process-shared mutex", taking(rival, counter), times)}}, rounds);
    }
    {
        mt::Lock ours;
        std::mutex rival;
        race("lock", "mt::Lock, free", doing("mt::Lock", taking(ours, counter), times),
             {Rival{doing("std::mutex", taking(rival, counter), times)}}, rounds);
    }
    constexpr int each = 500'000;
    race("lock", "mt::Lock, two threads", {"mt::Lock", [] { return fought_over<mt::Lock>(each); }},
         {Rival{"std::mutex", [] { return fought_over<std::mutex>(each); }}}, quick ? 5 : 15);
    end.set_value();
}
