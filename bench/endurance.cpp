// How many kills a queue or a lock between processes survives, before one hangs or damages what it protects.
//
// Two processes put (or lock) and two get, without end; one of them is killed and replaced every millisecond or so. When
// nobody has got on for a while with nobody killed, it hangs.
//
//     bench_endurance [KILLS]
#include <cstdlib>
#include <random>
#include <string>

#include "ours.hpp"
#include "rivals.hpp"
#include "rows.hpp"

namespace {

using namespace bench;

struct Tally {
    std::atomic<std::uint64_t> done{0};
    std::atomic<std::uint64_t> damaged{0};
};

struct Result {
    int kills = 0;
    const char* end = "";
};

// `work(worker, tally)` goes on for ever.
template <class Work>
Result endure(int kills, Work work) {
    constexpr int workers = 4;
    constexpr int patience = 3000;  // ms
    auto& tally = shared<Tally>();
    Children children;
    for (int worker = 0; worker < workers; ++worker) children.start(any_cpu, [&] { work(worker, tally); });
    std::mt19937 random(1);
    for (int killed = 0; killed < kills;) {
        ::usleep(useconds_t(500 + random() % 1000));
        const int victim = int(random() % workers);
        children.replace(std::size_t(victim), any_cpu, [&] { work(victim, tally); });
        ++killed;
        if (tally.damaged != 0) return {killed, "damaged"};
        const std::uint64_t before = tally.done;
        int waited = 0;
        while (tally.done == before && waited < patience) {
            ::usleep(1000);
            ++waited;
        }
        if (waited == patience) return {killed, "hangs"};
    }
    return {kills, "goes on"};
}

template <class Queue>
Result endure_as_queue(int kills, std::size_t bytes) {
    Queue queue(bytes, 2);
    return endure(kills, [&](int worker, Tally& tally) {
        for (std::uint64_t number = 1;; ++number) {
            if (worker < 2) {
                queue.send(std::uint64_t(::getpid()) << 32 | number);
            } else if (queue.receive() == 0) {
                ++tally.damaged;
            } else {
                ++tally.done;
            }
        }
    });
}

struct Pair {
    std::uint64_t first = 0;
    std::uint64_t second = 0;
};

template <class Acquire, class Release>
Result endure_as_lock(int kills, Acquire acquire, Release release) {
    auto& pair = shared<Pair>();
    return endure(kills, [&](int, Tally& tally) {
        for (;;) {
            acquire(pair);
            if (pair.first != pair.second) ++tally.damaged;
            ++pair.first;
            asm volatile("" : : : "memory");
            ++pair.second;
            release();
            ++tally.done;
        }
    });
}

void print(const std::string& row, const char* name, Result result) {
    std::printf("{\"subject\": \"endurance\", \"row\": \"%s\", \"name\": \"%s\", \"kills\": %d, \"end\": \"%s\"}\n", row.c_str(), name, result.kills,
                result.end);
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    const int kills = argc > 1 ? std::atoi(argv[1]) : 1000;
    print("queue, 8 B", "mp::Queue", endure_as_queue<NumberQueue>(kills, 8));
    print("queue, 8 B", "Boost message_queue", endure_as_queue<BoostQueue>(kills, 8));
    print("queue, 4 KiB", "mp::Queue", endure_as_queue<BytesQueue>(kills, 4096));
    print("queue, 4 KiB", "Boost message_queue", endure_as_queue<BoostQueue>(kills, 4096));

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
}
