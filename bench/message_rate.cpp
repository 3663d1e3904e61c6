// How many messages a second go from process to process, 8 bytes to 64 MiB each, against what others have for that and
// against a bare ring.
//
//     bench_message_rate [--quick]
#include <cstring>
#include <string>
#include <vector>

#include "bare_ring.hpp"
#include "ours.hpp"
#include "rivals.hpp"
#include "rows.hpp"

namespace {

using namespace bench;

template <class T>
Subject rate_of(const char* name, std::size_t bytes, int ends, double seconds) {
    return {name, [=] { return nanoseconds_a_message<T>(bytes, ends, seconds); }};
}

}  // namespace

int main(int argc, char** argv) {
    const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
    const int rounds = quick ? 3 : 5;
    const double usual = quick ? 0.1 : 0.25;
    constexpr std::size_t sizes[] = {8, 256, 4U << 10, 64U << 10, 1U << 20, 64U << 20};

    for (const int ends : {1, 2}) {
        for (const std::size_t bytes : sizes) {
            const double seconds = bytes > 1U << 20 ? 6 * usual : usual;
            std::vector<Subject> rivals{rate_of<BoostQueue>("Boost message_queue", bytes, ends, seconds), rate_of<SystemPipe>("pipe", bytes, ends, seconds),
                                        rate_of<SocketPair>("socketpair", bytes, ends, seconds), rate_of<ZeroMq>("ZeroMQ ipc", bytes, ends, seconds)};
            if (bytes <= PosixQueue::longest) rivals.push_back(rate_of<PosixQueue>("POSIX mq", bytes, ends, seconds));
            const auto ours = bytes == 8 ? rate_of<NumberQueue>("mp::Queue", bytes, ends, seconds) : rate_of<BytesQueue>("mp::Queue", bytes, ends, seconds);
            race("queue", "put+get " + readable(bytes) + (ends == 1 ? ", 1 to 1" : ", 2 to 2"), ours, rivals, rounds);
        }
    }
    const double seconds = usual;
    using Limit = BareRing<Waits::politely>;
    race("queue", "batches of 64, 8 B", rate_of<BatchedQueue>("mp::Queue", 8, 1, seconds), {rate_of<Limit>("bare ring", 8, 1, seconds)}, rounds);
    for (const std::size_t bytes : sizes) {
        if (bytes > 1U << 20) continue;
        race("pipe", "send+recv " + readable(bytes), rate_of<BytesPipe>("mp::Pipe", bytes, 1, seconds), {rate_of<Limit>("bare ring", bytes, 1, seconds)},
             rounds);
    }
    race("queue", "loan+borrow 64 MiB", rate_of<LendingQueue>("mp::Queue", 64U << 20, 1, seconds), {rate_of<LendingQueue>("the same of 64 B", 64, 1, seconds)},
         rounds);
}
