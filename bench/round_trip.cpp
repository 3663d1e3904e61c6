// How long 8 bytes take to another process and back: while both look on, and when the other has gone to
// sleep.
//
//     bench_round_trip [--quick]
#include <cstring>
#include <string>

#include "bare_ring.hpp"
#include "ours.hpp"
#include "rivals.hpp"
#include "rows.hpp"

namespace {

using namespace bench;

void at_once(pid_t) {}

template <class T, class Before>
Contender there_and_back(const char* name, int asker, int echo, Before before, double seconds) {
    return {name, [=] { return round_trip<T>(asker, echo, seconds, before); }};
}

template <class Bare, class Before>
void race_there_and_back(const std::string& row, const char* bare, int asker, int echo, Before before,
                         bool quick) {
    const double seconds = quick ? 0.1 : 0.3;
    race("round trip", row, there_and_back<NumberQueue>("mp::Queue", asker, echo, before, seconds),
         {Limit{there_and_back<Bare>(bare, asker, echo, before, seconds)},
          Rival{there_and_back<SystemPipe>("pipe", asker, echo, before, seconds)},
          Rival{there_and_back<BoostQueue>("Boost message_queue", asker, echo, before, seconds)}},
         quick ? 3 : 7);
}

}  // namespace

int main(int argc, char** argv) {
    const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
    race_there_and_back<BareRing<Waits::asleep>>("round trip, sleeping receiver", "bare futex", 0, 1,
                                                 wait_until_asleep, quick);
    race_there_and_back<BareRing<Waits::spinning>>("round trip, both awake, two CPUs", "bare spinning ring",
                                                   0, 1, at_once, quick);
    race_there_and_back<BareRing<Waits::asleep>>("round trip, one CPU", "bare futex ring", 0, 0, at_once,
                                                 quick);
}
