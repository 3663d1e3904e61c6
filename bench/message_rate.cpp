// How many messages a second go from process to process, 8 bytes to 64 MiB each, against what others have for
// that and against a bare ring.
//
//     bench_message_rate [--quick]
#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "bare_ring.hpp"
#include "ours.hpp"
#include "rivals.hpp"
#include "rows.hpp"

namespace {

using namespace bench;

template <class T>
Contender rate_of(const char* name, std::size_t bytes, int ends, double seconds) {
    return {name, [=] { return nanoseconds_a_message<T>(bytes, ends, seconds); }};
}

// The least work if each side has memory of its own: one copy there, one copy from there.
Limit two_copies(std::size_t bytes) {
    struct Memory {
        explicit Memory(std::size_t bytes) : from(bytes), there(bytes), to(bytes) {}
        std::vector<std::byte> from, there, to;
    };
    const auto copy = [memory = std::make_shared<Memory>(bytes)] {
        std::memcpy(memory->there.data(), memory->from.data(), memory->from.size());
        asm volatile("" : : : "memory");
        std::memcpy(memory->to.data(), memory->there.data(), memory->from.size());
        asm volatile("" : : : "memory");
    };
    return {doing("memcpy, twice", copy, int(std::max<std::size_t>(1, (64U << 20) / bytes)))};
}

template <class Ours>
void race_rates(const std::string& subject, const std::string& row, const char* ours, std::size_t bytes,
                int ends, double usual, int rounds) {
    const double seconds = bytes > 1U << 20 ? 6 * usual : usual;
    std::vector<Other> others{Rival{rate_of<BoostQueue>("Boost message_queue", bytes, ends, seconds)},
                              Rival{rate_of<SystemPipe>("pipe", bytes, ends, seconds)},
                              Rival{rate_of<SocketPair>("socketpair", bytes, ends, seconds)},
                              Rival{rate_of<ZeroMq>("ZeroMQ ipc", bytes, ends, seconds)}};
    if (bytes <= PosixQueue::longest)
        others.push_back(Rival{rate_of<PosixQueue>("POSIX mq", bytes, ends, seconds)});
    if (bytes <= 1U << 20 && ends == 1)
        others.push_back(Limit{rate_of<BareRing<Waits::politely>>("bare ring", bytes, ends, seconds)});
    if (bytes > 64U << 10 && ends == 1) others.push_back(two_copies(bytes));
    race(subject, row, rate_of<Ours>(ours, bytes, ends, seconds), others, rounds);
}

}  // namespace

int main(int argc, char** argv) {
    const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
    const int rounds = quick ? 3 : 5;
    const double seconds = quick ? 0.05 : 0.25;
    constexpr std::size_t sizes[] = {8, 256, 4U << 10, 64U << 10, 1U << 20, 64U << 20};

    for (const int ends : {1, 2}) {
        for (const std::size_t bytes : sizes) {
            const std::string row = "put+get " + readable(bytes) + (ends == 1 ? ", 1 to 1" : ", 2 to 2");
            bytes == 8 ? race_rates<NumberQueue>("queue", row, "mp::Queue", bytes, ends, seconds, rounds)
                       : race_rates<BytesQueue>("queue", row, "mp::Queue", bytes, ends, seconds, rounds);
        }
    }
    using Bare = BareRing<Waits::politely>;
    race("queue", "batches of 64, 8 B", rate_of<BatchedQueue>("mp::Queue", 8, 1, seconds),
         {Limit{rate_of<Bare>("bare ring", 8, 1, seconds)}}, rounds);
    race("queue", "loan+borrow 64 MiB", rate_of<LendingQueue>("mp::Queue", 64U << 20, 1, seconds),
         {Limit{rate_of<LendingQueue>("the same of 64 B", 64, 1, seconds)}}, rounds);
    for (const std::size_t bytes : sizes) {
        if (bytes > 1U << 20) continue;
        race("pipe", "send+recv " + readable(bytes), rate_of<BytesPipe>("mp::Pipe", bytes, 1, seconds),
             {Rival{rate_of<SystemPipe>("pipe", bytes, 1, seconds)},
              Rival{rate_of<SocketPair>("socketpair", bytes, 1, seconds)},
              Limit{rate_of<Bare>("bare ring", bytes, 1, seconds)}},
             rounds);
    }
}
