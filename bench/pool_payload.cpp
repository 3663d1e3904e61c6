// A task with much to carry: 8 MiB of doubles to a process and back, or in memory that both see.
//
//     bench_pool_payload [--quick]
#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include <chorus/chorus.hpp>

#include "rows.hpp"

namespace {

using namespace bench;
namespace mp = chorus::multiprocessing;

constexpr std::size_t count = (8 << 20) / sizeof(double);

void increment_all(std::span<double> numbers) {
    for (double& number : numbers) number += 1;
}
std::vector<double> incremented(std::vector<double> numbers) {
    increment_all(numbers);
    return numbers;
}
void increment_shared(const mp::Array<double>& numbers) { increment_all(numbers); }

void check(std::span<const double> numbers, double each) {
    if (numbers.size() == count &&
        std::all_of(numbers.begin(), numbers.end(), [each](double number) { return number == each; }))
        return;
    std::fprintf(stderr, "a number is lost or wrong\n");
    std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
    const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
    const int rounds = quick ? 9 : 51;
    constexpr int batch = 3;
    const double times = rounds * batch + 1;  // and the first, which does not count
    mp::Pool pool(2);

    // The plain call moves its vector in and out, and copies nothing: all of the way is ours.
    std::vector<double> mine(count, 0.0);
    std::vector<double> theirs(count, 0.0);
    race("pool", "8 MiB to a process and back",
         doing(
             "mp::Pool", [&] { mine = pool.submit(incremented, std::move(mine)).get(); }, batch),
         {Limit{doing(
             "a plain call", [&] { theirs = incremented(std::move(theirs)); }, batch)}},
         rounds);
    check(mine, times);
    check(theirs, times);

    // A caller that keeps what it sends has one copy made by a plain call too.
    const std::vector<double> kept(count, 0.0);
    race("pool", "8 MiB to a process and back, and kept",
         doing(
             "mp::Pool", [&] { mine = pool.submit(incremented, kept).get(); }, batch),
         {Limit{doing(
             "a plain call", [&] { theirs = incremented(kept); }, batch)}},
         rounds);
    check(mine, 1);
    check(theirs, 1);

    const mp::Array<double> shared(count);
    theirs.assign(count, 0.0);
    race("pool", "8 MiB in an mp::Array, in a process",
         doing(
             "mp::Pool", [&] { pool.submit(increment_shared, shared).get(); }, batch),
         {Limit{doing(
             "a plain call", [&] { increment_all(theirs); }, batch)}},
         rounds);
    check(shared, times);
    check(theirs, times);
}
