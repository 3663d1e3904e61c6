// What it costs to give a worker something: 8 bytes to 64 MiB, through a queue and in place.
#include <chrono>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <chorus/chorus.hpp>

#include "experiment.hpp"
#include "quantities.hpp"
#include "statistics.hpp"

namespace command::report {
namespace {

namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;
using namespace std::chrono_literals;

using Bytes = std::vector<std::byte>;
using Stamp = std::uint64_t;
constexpr std::size_t sizes[] = {8, 512, 4_KiB, 64_KiB, 1_MiB, 8_MiB, 64_MiB};
constexpr int ways = 2;             // of a trip
constexpr auto longest_wait = 60s;  // for an answer: then the other one is gone

// The same number at both ends of an item; of one of 8 bytes these are one.
void put_stamp(std::span<std::byte> item, Stamp stamp) {
    std::memcpy(item.data(), &stamp, sizeof stamp);
    std::memcpy(item.data() + item.size() - sizeof stamp, &stamp, sizeof stamp);
}
bool has_stamp(std::span<const std::byte> item, Stamp stamp) {
    return std::memcmp(item.data(), &stamp, sizeof stamp) == 0 &&
           std::memcmp(item.data() + item.size() - sizeof stamp, &stamp, sizeof stamp) == 0;
}

template <class Queue>
void send_back(Queue there, Queue back) {
    for (auto& item : there) back.put(std::move(item));
}

// Looks at what lies in memory that both see, and is told only that there is something to see.
void look(mp::RawArray<std::byte> item, mp::Queue<Stamp> there, mp::Queue<bool> seen) {
    for (const Stamp stamp : there) seen.put(has_stamp(item, stamp));
}

/// An item's way to a worker through a queue, and back through another.
template <class Worker, class Options, class Queue>
class Exchange {
public:
    explicit Exchange(std::size_t size)
        : item_(size), worker_(Options{.daemon = true}, send_back<Queue>, there_, back_) {
        worker_.start();
    }
    ~Exchange() {
        there_.shutdown();
        worker_.join();
    }
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;

    void there_and_back() {
        put_stamp(item_, ++stamp_);
        there_.put(std::move(item_));
        item_ = back_.get(longest_wait);
        expect(has_stamp(item_, stamp_), "an item came back changed");
    }

private:
    Bytes item_;
    Queue there_;
    Queue back_;
    Worker worker_;
    Stamp stamp_ = 0;
};
using ToThread = Exchange<mt::Thread, mt::ThreadOptions, mt::Queue<Bytes>>;
using ToProcess = Exchange<mp::Process, mp::ProcessOptions, mp::Queue<Bytes>>;

/// The same without a way: it lies where both see it. What travels is a number.
class InPlace {
public:
    explicit InPlace(std::size_t size)
        : item_(size), worker_(mp::ProcessOptions{.daemon = true}, look, item_, there_, seen_) {
        worker_.start();
    }
    ~InPlace() {
        there_.shutdown();
        worker_.join();
    }
    InPlace(const InPlace&) = delete;
    InPlace& operator=(const InPlace&) = delete;

    void there_and_back() {
        put_stamp(item_, ++stamp_);
        there_.put(stamp_);
        expect(seen_.get(longest_wait), "a process sees something else in shared memory");
    }

private:
    mp::RawArray<std::byte> item_;
    mp::Queue<Stamp> there_;
    mp::Queue<bool> seen_;
    mp::Process worker_;
    Stamp stamp_ = 0;
};

// The median of as many as fit into some time, and of one at least.
double nanoseconds_of_one(auto& exchange, std::chrono::nanoseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    std::vector<double> trips;
    do {
        trips.push_back(nanoseconds([&] { exchange.there_and_back(); }));
    } while (std::chrono::steady_clock::now() < end);
    return figure_of(std::move(trips)).median / ways;
}

/// All that is measured for one size.
class Trips {
public:
    explicit Trips(std::size_t size) : size_(size), to_thread_(size), to_process_(size), in_place_(size) {
        to_thread_.there_and_back();  // workers have to begin, and memory has to come
        to_process_.there_and_back();
        in_place_.there_and_back();
    }

    void measure(std::chrono::nanoseconds time) {
        threads_.push_back(nanoseconds_of_one(to_thread_, time));
        processes_.push_back(nanoseconds_of_one(to_process_, time));
        shared_.push_back(nanoseconds_of_one(in_place_, time));
    }

    void add_to(Chart& chart) const {
        const auto at = static_cast<double>(size_);
        chart.add("to a thread", Kind::threads, figure_of(threads_), at);
        chart.add("to a process", Kind::processes, figure_of(processes_), at);
        chart.add("to a process, in shared memory", Kind::neither, figure_of(shared_), at);
    }

private:
    const std::size_t size_;
    ToThread to_thread_;
    ToProcess to_process_;
    InPlace in_place_;
    std::vector<double> threads_;
    std::vector<double> processes_;
    std::vector<double> shared_;
};

void measure_passing(Part& part, const Effort& effort) {
    Chart& chart = part.add_chart({.name = "time",
                                   .title = "Until the other has it",
                                   .shape = Shape::lines,
                                   .unit = Unit::nanoseconds,
                                   .across = "size",
                                   .across_unit = Unit::bytes});
    std::vector<std::unique_ptr<Trips>> all;
    for (const std::size_t size : sizes) all.push_back(std::make_unique<Trips>(size));
    // All sizes in each round: where the system places the workers differs from second to second, and it
    // makes a size neither cheap nor dear.
    for (int round = 0; round < effort.rounds(); ++round) {
        for (const auto& each : all) each->measure(effort.pick(30ms, 8ms));
    }
    for (const auto& each : all) each->add_to(chart);

    const auto at = [&](const char* series, std::size_t size) {
        return quantity(part.find("time", series, double(size))->median, Unit::nanoseconds);
    };
    part.headline = {at("to a process", 1_MiB),
                     "to give 1 MiB to a process; a thread gets it in " + at("to a thread", 1_MiB)};
    part.means = "8 bytes reach a thread in " + at("to a thread", 8) + " and a process in " +
                 at("to a process", 8) + ". 64 MiB take " + at("to a process", 64_MiB) +
                 " to a process, which gets a copy, and " + at("to a thread", 64_MiB) +
                 " to a thread, which gets the memory itself; where both processes see the same memory, " +
                 at("to a process, in shared memory", 64_MiB) + ".";
    part.notes.push_back(
        "One at a time, each way of a round trip counted as half of it, and the median of the trips of a "
        "round. With many in flight at once, no receiver has to be woken for each.");
}

}  // namespace

const Experiment passing{"passing", "What it costs to pass data",
                         "Threads share memory, so passing data is very fast. Processes do not: data goes "
                         "through queues and pipes, written and read.",
                         "An item to a worker and back, checked at both of its ends, through mt::Queue "
                         "(moved), mp::Queue (copied), or in an mp::RawArray that both see.",
                         measure_passing};

}  // namespace command::report
