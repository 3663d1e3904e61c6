// How many kills a queue, a lock or a pool survives, before it hangs, damages what it carries or protects, or
// loses what was not with the dead.
//
// Two processes put (or lock) and two get, without end; one of them is killed and replaced every millisecond
// or so. When no process has got on for a while without a kill, it hangs. In the end the putters are
// killed and the rest is got: an item put before, and not got although no getter died with it, is lost.
//
//     bench_endurance [KILLS]
#include <cstdlib>
#include <deque>
#include <random>
#include <string>

#include "ours.hpp"
#include "rivals.hpp"
#include "rows.hpp"

namespace {

using namespace bench;

struct Tally {
    std::atomic<std::uint64_t> begun{0};  ///< puts that have returned
    std::atomic<std::uint64_t> done{0};
    std::atomic<std::uint64_t> damaged{0};
};

struct Result {
    int kills = 0;
    const char* end = "";
};

constexpr int workers = 4;
constexpr int patience = 3000;  // ms

// Whether it moved on within the time.
bool moves_on(const std::atomic<std::uint64_t>& count, int milliseconds) {
    const std::uint64_t before = count;
    for (int waited = 0; count == before && waited < milliseconds; ++waited) ::usleep(1000);
    return count != before;
}

// `work(worker, tally)` runs indefinitely.
template <class Work>
Result endure(int kills, Work work, bool is_queue) {
    auto& tally = shared<Tally>();
    Children children;
    for (int worker = 0; worker < workers; ++worker) children.start(any_cpu, [&] { work(worker, tally); });
    if (!moves_on(tally.done, patience)) return {0, "does not begin"};
    std::mt19937 random(1);
    std::uint64_t getters_killed = 0;
    for (int killed = 0; killed < kills;) {
        ::usleep(useconds_t(500 + random() % 1000));
        const int victim = int(random() % workers);
        children.replace(std::size_t(victim), any_cpu, [&] { work(victim, tally); });
        getters_killed += victim >= workers / 2 ? 1 : 0;
        ++killed;
        if (tally.damaged != 0) return {killed, "damaged"};
        if (!moves_on(tally.done, patience)) return {killed, "hangs"};
    }
    if (!is_queue) return {kills, "goes on"};
    for (std::size_t putter = 0; putter < workers / 2; ++putter) children.end(putter);
    while (moves_on(tally.done, 200)) {
    }
    return {kills, tally.done + getters_killed < tally.begun ? "lost" : "goes on"};
}

template <class Queue>
Result endure_as_queue(int kills, std::size_t bytes) {
    Queue queue(bytes, 2);
    const auto put_or_get = [&](int worker, Tally& tally) {
        worker < 2 ? queue.open_sender(worker) : queue.open_receiver(worker - 2);
        for (std::uint64_t number = 1;; ++number) {
            if (worker < 2) {
                queue.send(std::uint64_t(::getpid()) << 32 | number);
                ++tally.begun;
            } else if (queue.receive() == 0) {
                ++tally.damaged;
            } else {
                ++tally.done;
            }
        }
    };
    return endure(kills, put_or_get, true);
}

struct Pair {
    std::uint64_t first = 0;
    std::uint64_t second = 0;
};

template <class Acquire, class Release>
Result endure_as_lock(int kills, Acquire acquire, Release release) {
    auto& pair = shared<Pair>();
    const auto take_and_give = [&](int, Tally& tally) {
        for (;;) {
            acquire(pair);
            if (pair.first != pair.second) ++tally.damaged;
            ++pair.first;
            asm volatile("" : : : "memory");
            ++pair.second;
            release();
            ++tally.done;
        }
    };
    return endure(kills, take_and_give, false);
}

int increment(int number) { return number + 1; }

// Of tasks that are tried again, each gets its answer.
Result endure_as_pool(int kills) {
    mp::Pool pool(workers);
    std::deque<chorus::Future<int>> futures;
    std::mt19937 random(1);
    int killed = 0;
    auto next = Clock::now();
    for (int number = 0; killed < kills || !futures.empty();) {
        while (killed < kills && futures.size() < 1000)
            futures.push_back(pool.submit({.retries = 1000}, increment, number++));
        const int oldest = number - int(futures.size());
        try {
            if (futures.front().get(std::chrono::milliseconds(patience)) != oldest + 1)
                return {killed, "damaged"};
        } catch (const chorus::TimedOut&) {
            return {killed, "hangs"};
        }
        futures.pop_front();
        const auto pids = pool.worker_pids();
        if (Clock::now() < next || killed == kills || pids.empty()) continue;
        if (::kill(pids[random() % pids.size()], SIGKILL) == 0) ++killed;
        next = Clock::now() + std::chrono::microseconds(500 + random() % 1000);
    }
    return {killed, "goes on"};
}

void print(const std::string& row, const char* name, Result result) {
    std::printf(
        "{\"subject\": \"endurance\", \"row\": \"%s\", \"name\": \"%s\", \"kills\": %d, \"end\": \"%s\"}\n",
        row.c_str(), name, result.kills, result.end);
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    const int kills = argc > 1 ? std::atoi(argv[1]) : 1000;
    print("queue, 8 B", "mp::Queue", endure_as_queue<NumberQueue>(kills, 8));
    print("queue, 8 B", "Boost message_queue", endure_as_queue<BoostQueue>(kills, 8));
    print("queue, 8 B", "POSIX mq", endure_as_queue<PosixQueue>(kills, 8));
    print("queue, 8 B", "ZeroMQ ipc", endure_as_queue<ZeroMq>(kills, 8));
    print("queue, 8 B", "pipe with a mutex at each end", endure_as_queue<SystemPipe>(kills, 8));
    print("queue, 4 KiB", "mp::Queue", endure_as_queue<BytesQueue>(kills, 4096));
    print("queue, 4 KiB", "Boost message_queue", endure_as_queue<BoostQueue>(kills, 4096));
    print("queue, 4 KiB", "POSIX mq", endure_as_queue<PosixQueue>(kills, 4096));
    print("queue, 4 KiB", "ZeroMQ ipc", endure_as_queue<ZeroMq>(kills, 4096));
    print("queue, 4 KiB", "pipe with a mutex at each end", endure_as_queue<SystemPipe>(kills, 4096));

    mp::Lock ours;
    const auto acquire = [&](Pair& pair) {
        try {
            ours.acquire();
        } catch (const chorus::OwnerDied&) {
            pair.second = pair.first;
            ours.recover();
        }
    };
    print("lock", "mp::Lock", endure_as_lock(kills, acquire, [&] { ours.release(); }));
    auto& theirs = shared<boost::interprocess::interprocess_mutex>();
    print("lock", "Boost interprocess_mutex",
          endure_as_lock(
              kills, [&](Pair&) { theirs.lock(); }, [&] { theirs.unlock(); }));

    print("pool of 4", "mp::Pool", endure_as_pool(kills));
}
