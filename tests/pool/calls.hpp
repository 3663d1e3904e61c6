// What tests have a pool's workers do.
#pragma once

#include <stdexcept>
#include <vector>

#include <unistd.h>

#include <support/each_way.hpp>
#include <support/eventually.hpp>

inline int square(int x) { return x * x; }
inline int add(int a, int b) { return a + b; }
inline int who(int) { return ::getpid(); }
inline int refuse_odd(int x) {
    if (x % 2 == 1) throw std::out_of_range("odd: " + std::to_string(x));
    return x;
}
inline int await(mp::Event go, int x) {
    go.wait();
    return x;
}
/// Says that it has begun, and waits for a permit to end.
inline int begin_and_await(mp::Semaphore begun, mp::Semaphore go) {
    begun.release();
    go.acquire();
    return 1;
}
/// Waits until so many have said that they have begun.
inline void await_begun(mp::Semaphore& begun, int tasks) {
    for (int i = 0; i < tasks; ++i) ASSERT_TRUE(begun.acquire(std::chrono::seconds(20)));
}

/// The pool's workers, which are to be so many. A worker may be at work before its start is done, and
/// is listed only then.
inline std::vector<int> workers_of(const mp::Pool& pool, std::size_t count) {
    EXPECT_TRUE(eventually([&] { return pool.worker_pids().size() >= count; }));
    const auto workers = pool.worker_pids();
    EXPECT_EQ(workers.size(), count);
    return workers;
}
