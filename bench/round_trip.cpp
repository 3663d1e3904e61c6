// How long 8 bytes take to another process and back: while both look on, and when the other has gone to sleep.
//
//     bench_round_trip [--quick]
#include <cstring>
#include <string>

#include "bare_ring.hpp"
#include "ours.hpp"
#include "rows.hpp"

namespace {

using namespace bench;

void at_once(pid_t) {}

template <class Rival, class Before>
void race(const std::string& row, const char* rival, int asker, int echo, Before before, bool quick) {
    std::vector<double> mine;
    std::vector<double> theirs;
    const double seconds = quick ? 0.1 : 0.3;
    for (int round = 0; round < (quick ? 3 : 7); ++round) {
        if (round % 2 == 0) mine.push_back(round_trip<NumberQueue>(asker, echo, seconds, before));
        theirs.push_back(round_trip<Rival>(asker, echo, seconds, before));
        if (round % 2 != 0) mine.push_back(round_trip<NumberQueue>(asker, echo, seconds, before));
    }
    emit("queue", row, median(mine), rival, median(theirs), median(mine) / median(theirs), spread(mine));
}

}  // namespace

int main(int argc, char** argv) {
    const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
    race<BareRing<Waits::asleep>>("round trip, sleeping receiver", "bare futex", 0, 1, wait_until_asleep, quick);
    race<BareRing<Waits::spinning>>("round trip, both awake, two CPUs", "bare spinning ring", 0, 1, at_once, quick);
    race<BareRing<Waits::asleep>>("round trip, one CPU", "bare futex ring", 0, 0, at_once, quick);
}
