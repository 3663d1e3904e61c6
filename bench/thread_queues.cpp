// Items of 8 bytes between the threads of one process.
//
//     bench_thread_queues [--quick]
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <concurrentqueue/blockingconcurrentqueue.h>
#include <tbb/concurrent_queue.h>

#include <chorus/chorus.hpp>

#include "children.hpp"
#include "rows.hpp"

namespace {

using namespace bench;
namespace mt = chorus::threading;
using Value = std::uint64_t;
constexpr std::size_t most = 1024;  // of the bounded ones

struct Ours {
    mt::Queue<Value> queue;
    void put(Value value) { queue.put(value); }
    Value get() { return queue.get(); }
};

struct OursBounded {
    mt::Queue<Value> queue{most};
    void put(Value value) { queue.put(value); }
    Value get() { return queue.get(); }
};

struct Moodycamel {
    moodycamel::BlockingConcurrentQueue<Value> queue;
    void put(Value value) { queue.enqueue(value); }
    Value get() {
        Value value{};
        queue.wait_dequeue(value);
        return value;
    }
};

template <std::size_t limit>
struct MutexDeque {
    std::mutex mutex;
    std::condition_variable items;
    std::condition_variable room;
    std::deque<Value> values;
    void put(Value value) {
        std::unique_lock lock(mutex);
        if (limit != 0) room.wait(lock, [&] { return values.size() < limit; });
        values.push_back(value);
        lock.unlock();
        items.notify_one();
    }
    Value get() {
        std::unique_lock lock(mutex);
        items.wait(lock, [&] { return !values.empty(); });
        const Value value = values.front();
        values.pop_front();
        lock.unlock();
        if (limit != 0) room.notify_one();
        return value;
    }
};

struct TbbBounded {
    tbb::concurrent_bounded_queue<Value> queue;
    TbbBounded() { queue.set_capacity(most); }
    void put(Value value) { queue.push(value); }
    Value get() {
        Value value{};
        queue.pop(value);
        return value;
    }
};

// Nanoseconds an item; the sum of all items is checked.
template <class Queue>
double nanoseconds_an_item(int ends, std::uint64_t each) {
    Queue queue;
    std::atomic<std::uint64_t> sum{0};
    const double elapsed = nanoseconds([&] {
        std::vector<std::jthread> threads;
        for (int end = 0; end < ends; ++end) {
            threads.emplace_back([&] {
                pin(ends == 1 ? 0 : any_cpu);
                for (Value value = 1; value <= each; ++value) queue.put(value);
                queue.put(0);  // the end, for one receiver
            });
            threads.emplace_back([&] {
                pin(ends == 1 ? 1 : any_cpu);
                std::uint64_t mine = 0;
                while (const Value value = queue.get()) mine += value;
                sum += mine;
            });
        }
    });
    if (sum != std::uint64_t(ends) * each * (each + 1) / 2) {
        std::fprintf(stderr, "an item is lost or damaged\n");
        std::exit(1);
    }
    return elapsed / double(std::uint64_t(ends) * each);
}

template <class Queue>
Contender items(const char* name, int ends, std::uint64_t each) {
    return {name, [=] { return nanoseconds_an_item<Queue>(ends, each); }};
}

}  // namespace

int main(int argc, char** argv) {
    const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
    const std::uint64_t each = quick ? 200'000 : 1'000'000;
    const int rounds = quick ? 3 : 7;
    for (const int ends : {1, 2}) {
        const std::string row = "mt::Queue 8 B, " + std::to_string(ends) + " to " + std::to_string(ends);
        race("thread queue", row, items<Ours>("mt::Queue", ends, each),
             {Rival{items<Moodycamel>("moodycamel", ends, each)},
              Rival{items<MutexDeque<0>>("mutex+condvar deque", ends, each)}},
             rounds);
        race("thread queue", row + ", at most 1024", items<OursBounded>("mt::Queue", ends, each),
             {Rival{items<TbbBounded>("TBB bounded queue", ends, each)},
              Rival{items<MutexDeque<most>>("mutex+condvar deque", ends, each)}},
             rounds);
    }
}
