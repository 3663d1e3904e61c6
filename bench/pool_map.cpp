// One function for a million numbers: copied to the workers and back, or where they lie.
//
//     bench_pool_map [--quick]
#include <algorithm>
#include <cstring>
#include <deque>
#include <functional>
#include <numeric>
#include <string>
#include <tuple>
#include <vector>

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <chorus/chorus.hpp>

#include "bare_ring.hpp"
#include "rows.hpp"

namespace {

using namespace bench;
namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;

constexpr int workers = 2;
constexpr std::size_t count = 1'000'000;
constexpr std::size_t parts = 4 * workers;  // as many as map() makes by itself

struct Range {
    std::size_t from;
    std::size_t to;
};
Range part(std::size_t number) { return {count * number / parts, count * (number + 1) / parts}; }

int increment(int number) { return number + 1; }
void increment_all(int* numbers, std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) numbers[i] = increment(numbers[i]);
}
void increment_shared(const mp::Array<int>& numbers, std::size_t from, std::size_t to) {
    increment_all(numbers.data(), from, to);
}

// From `first` on, each the next.
template <class Numbers>
void check(const Numbers& numbers, int first) {
    const auto begin = std::begin(numbers);
    bool good = std::size_t(std::end(numbers) - begin) == count;
    for (std::size_t i = 0; good && i < count; ++i) good = begin[std::ptrdiff_t(i)] == first + int(i);
    if (good) return;
    std::fprintf(stderr, "a number is lost or wrong\n");
    std::exit(1);
}

std::vector<int> some_numbers() {
    std::vector<int> numbers(count);
    std::iota(numbers.begin(), numbers.end(), 0);
    return numbers;
}

// Two forked workers, each with a ring there and one back. They are told the number of a part, and say it
// when they have done it where it lies.
class BareWorkers {
public:
    explicit BareWorkers(int* numbers) {
        for (int i = 0; i < workers; ++i) {
            auto& [there, back] = rings_.emplace_back();
            children_.start(any_cpu, [&there, &back, numbers] {
                there.open_receiver(0);
                back.open_sender(0);
                for (;;) {
                    const std::uint64_t number = there.receive();
                    const Range range = part(std::size_t(number - 1));
                    increment_all(numbers, range.from, range.to);
                    back.send(number);
                }
            });
        }
    }
    void run() {
        for (std::size_t i = 0; i < parts; ++i) rings_[i % workers].there.send(i + 1);
        for (std::size_t i = 0; i < parts; ++i) {
            if (rings_[i % workers].back.receive() != i + 1) fail("a ring gave another number back");
        }
    }

private:
    struct Rings {
        BareRing<Waits::politely> there{8, 1};
        BareRing<Waits::politely> back{8, 1};
    };
    std::deque<Rings> rings_;  // of things that stay where they are
    Children children_;
};

// How often something was done to numbers, all of which count it.
template <class Work>
class Counted {
public:
    explicit Counted(Work work) : work_(std::move(work)) {}
    void operator()() {
        work_();
        ++times_;
    }
    int times() const { return times_; }

private:
    Work work_;
    int times_ = 0;
};

void map_in_place_of_processes(int rounds) {
    int* const bare_numbers = static_cast<int*>(shared_memory(count * sizeof(int)));
    std::iota(bare_numbers, bare_numbers + count, 0);
    BareWorkers bare(bare_numbers);
    Counted theirs([&] { bare.run(); });

    mp::Pool pool(workers);
    const mp::Array<int> numbers(some_numbers());
    std::vector<std::tuple<mp::Array<int>, std::size_t, std::size_t>> calls;
    for (std::size_t i = 0; i < parts; ++i) calls.emplace_back(numbers, part(i).from, part(i).to);
    Counted ours([&] { pool.starmap(increment_shared, calls); });

    race("pool", "mp::Pool map of 1,000,000 ints in an mp::Array", doing("mp::Pool", std::ref(ours), 10),
         {Limit{doing("bare rings", std::ref(theirs), 10)}}, rounds);
    check(numbers, ours.times());
    check(std::vector<int>(bare_numbers, bare_numbers + count), theirs.times());
}

// The loop is there to compare with, and not asked for; tools/bench holds ours against Python's.
void map_copies_of_processes(int rounds) {
    mp::Pool pool(workers);
    const auto numbers = some_numbers();
    std::vector<int> here;
    std::vector<int> there;
    const auto loop = [&] {
        std::vector<int> results;
        for (const int number : numbers) results.push_back(increment(number));
        here = std::move(results);
    };
    race("pool", "mp::Pool map of 1,000,000 ints",
         doing(
             "mp::Pool", [&] { there = pool.map(increment, numbers); }, 3),
         {Limit{doing("a plain loop", loop, 3)}}, rounds);
    check(here, 1);
    check(there, 1);
}

// map() gives a vector of its own, so parallel_for() fills one too. Both are given a lambda; the name of a
// function is a pointer, through which a million calls have to go: that is shown beside it.
void map_of_threads(int rounds) {
    mt::Pool pool(workers);
    const auto numbers = some_numbers();
    std::vector<int> mine;
    std::vector<int> theirs;
    const auto parallel_for = [&] {
        std::vector<int> results(count);
        tbb::parallel_for(tbb::blocked_range<std::size_t>(0, count), [&](const auto& range) {
            for (std::size_t i = range.begin(); i < range.end(); ++i) results[i] = increment(numbers[i]);
        });
        theirs = std::move(results);
    };
    const Rival tbb{doing("TBB parallel_for", parallel_for, 3)};
    const auto by_lambda = [&] { mine = pool.map([](int number) { return increment(number); }, numbers); };
    race("pool", "mt::Pool map of 1,000,000 ints", doing("mt::Pool", by_lambda, 3), {tbb}, rounds);
    check(mine, 1);
    const auto by_name = [&] { mine = pool.map(increment, numbers); };
    race("pool", "mt::Pool map of 1,000,000 ints, by a function's name", doing("mt::Pool", by_name, 3), {tbb},
         rounds);
    check(mine, 1);
    check(theirs, 1);
}

void map_in_place_of_threads(int rounds) {
    mt::Pool pool(workers);
    std::vector<int> mine = some_numbers();
    std::vector<int> theirs = some_numbers();
    std::vector<Range> ranges;
    for (std::size_t i = 0; i < parts; ++i) ranges.push_back(part(i));
    Counted ours([&] {
        pool.map([&mine](Range range) { increment_all(mine.data(), range.from, range.to); }, ranges);
    });
    Counted parallel_for([&] {
        tbb::parallel_for(tbb::blocked_range<std::size_t>(0, count), [&](const auto& range) {
            increment_all(theirs.data(), range.begin(), range.end());
        });
    });
    race("pool", "mt::Pool map of 1,000,000 ints in place", doing("mt::Pool", std::ref(ours), 10),
         {Rival{doing("TBB parallel_for", std::ref(parallel_for), 10)}}, rounds);
    check(mine, ours.times());
    check(theirs, parallel_for.times());
}

}  // namespace

int main(int argc, char** argv) {
    const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
    const int rounds = quick ? 5 : 25;
    map_in_place_of_processes(rounds);  // first: it forks
    map_copies_of_processes(rounds);
    map_of_threads(rounds);
    map_in_place_of_threads(rounds);
}
