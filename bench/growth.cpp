// How costs grow: with the number of workers, of items, of tasks under way, and with the size of the parent.
//
//     bench_growth [--quick]
//
// A line of JSON a row, with a series of points for each contender:
//     {"subject": "growth", "row": …, "x": …, "x_unit": "count" or "bytes", "unit": "ns",
//      "series": [{"name": …, "kind": …, "points": [[x, y], …]}, …]}
#include <algorithm>
#include <barrier>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <sys/mman.h>

#include <boost/interprocess/ipc/message_queue.hpp>

#include <chorus/chorus.hpp>

#include "children.hpp"
#include "pool_rivals.hpp"
#include "rows.hpp"

namespace {

using namespace bench;
namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;

struct Series {
    std::string name;
    Kind kind = Kind::ours;
    std::function<double(double x)> measure;  ///< nanoseconds
    double most = 1e18;                       ///< where it is too slow to go on, or cannot
};

void grow(const std::string& row, const std::string& x, const char* x_unit, const std::vector<double>& at,
          const std::vector<Series>& all, int rounds) {
    std::vector<std::vector<std::vector<double>>> values(all.size(),
                                                         std::vector<std::vector<double>>(at.size()));
    for (std::size_t point = 0; point < at.size(); ++point) {
        for (int round = 0; round < rounds; ++round) {
            for (std::size_t i = 0; i < all.size(); ++i) {
                if (at[point] <= all[i].most) values[i][point].push_back(all[i].measure(at[point]));
            }
        }
    }
    std::string series;
    for (std::size_t i = 0; i < all.size(); ++i) {
        std::string points;
        for (std::size_t point = 0; point < at.size(); ++point) {
            if (values[i][point].empty()) continue;
            char text[64];
            std::snprintf(text, sizeof text, "%s[%.0f, %.1f]", points.empty() ? "" : ", ", at[point],
                          median(values[i][point]));
            points += text;
        }
        const char* const kind = all[i].kind == Kind::ours    ? "ours"
                                 : all[i].kind == Kind::rival ? "rival"
                                                              : "limit";
        series += (i == 0 ? "" : ", ") + ("{\"name\": \"" + all[i].name + "\", \"kind\": \"" + kind +
                                          "\", \"points\": [" + points + "]}");
    }
    std::printf(
        "{\"subject\": \"growth\", \"row\": \"%s\", \"x\": \"%s\", \"x_unit\": \"%s\", \"unit\": \"ns\", "
        "\"series\": [%s]}\n",
        row.c_str(), x.c_str(), x_unit, series.c_str());
    std::fflush(stdout);
}

// ---- workers ----

void nothing() {}

template <class Worker>
void start_and_join() {
    Worker worker(nothing);
    worker.start();
    worker.join();
}

void raw_fork() {
    const pid_t pid = ::_Fork();
    if (pid == 0) ::_exit(0);
    if (pid < 0 || ::waitpid(pid, nullptr, 0) != pid) fail("fork");
}

// Memory that this process has written.
class Touched {
public:
    explicit Touched(double bytes) : bytes_(static_cast<std::size_t>(bytes)) {
        if (bytes_ == 0) return;
        memory_ = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory_ == MAP_FAILED) fail("mmap");
        ::madvise(memory_, bytes_, MADV_NOHUGEPAGE);
        std::memset(memory_, 1, bytes_);
    }
    ~Touched() {
        if (bytes_ != 0) ::munmap(memory_, bytes_);
    }
    Touched(const Touched&) = delete;
    Touched& operator=(const Touched&) = delete;

private:
    std::size_t bytes_;
    void* memory_ = nullptr;
};

void with_the_parents_memory(bool quick) {
    std::unique_ptr<Touched> memory;
    double size = -1;
    const auto in_a_parent_of = [&](auto start, int times) {
        return [&, start, times](double bytes) {
            if (bytes != size) {
                memory.reset();
                memory = std::make_unique<Touched>(bytes);
                size = bytes;
            }
            std::vector<double> each;
            for (int i = 0; i < times; ++i) each.push_back(nanoseconds(start));
            return median(each);
        };
    };
    constexpr double mib = 1 << 20;
    std::vector<double> sizes{0, 64 * mib, 256 * mib, 1024 * mib};
    if (!quick) sizes.push_back(4096 * mib);
    grow("start+join of a process", "memory of the parent", "bytes", sizes,
         {{"mp::Process, forkserver", Kind::ours, in_a_parent_of(start_and_join<mp::ForkServerProcess>, 40)},
          {"mp::Process, spawn", Kind::ours, in_a_parent_of(start_and_join<mp::SpawnProcess>, 20)},
          {"raw fork", Kind::rival, in_a_parent_of(raw_fork, 5)}},
         quick ? 1 : 3);
}

void wait_for(mp::Event end) { end.wait(); }

// One more, while so many are alive.
void with_workers_alive(bool quick) {
    mp::Event end;
    std::vector<mp::ForkServerProcess> alive;
    const auto one_more = [&](double count) {
        while (double(alive.size()) < count) {
            alive.emplace_back(wait_for, end);
            alive.back().start();
        }
        std::vector<double> each;
        for (int i = 0; i < 40; ++i) each.push_back(nanoseconds(start_and_join<mp::ForkServerProcess>));
        return median(each);
    };
    std::vector<double> counts{0, 10, 100, 1000};
    if (!quick) counts.push_back(3000);
    grow("start+join of one more process", "processes alive", "count", counts,
         {{"mp::Process, forkserver", Kind::ours, one_more}}, 1);
    end.set();
    for (auto& each : alive) each.join();
}

// ---- items ----

double through_ours(auto& queue, std::size_t items) {
    return nanoseconds([&] {
               for (std::uint64_t i = 1; i <= items; ++i) queue.put(i);
               for (std::uint64_t i = 1; i <= items; ++i) {
                   if (queue.get() != i) fail("an item is lost");
               }
           }) /
           double(items);
}

double through_boost(std::size_t items) {
    const std::string name = "growth-" + std::to_string(::getpid());
    boost::interprocess::message_queue queue(boost::interprocess::create_only, name.c_str(), items,
                                             sizeof(std::uint64_t));
    boost::interprocess::message_queue::remove(name.c_str());
    return nanoseconds([&] {
               for (std::uint64_t i = 1; i <= items; ++i) queue.send(&i, sizeof i, 0);
               for (std::uint64_t i = 1; i <= items; ++i) {
                   std::uint64_t item = 0;
                   std::size_t size = 0;
                   unsigned priority = 0;
                   queue.receive(&item, sizeof item, size, priority);
                   if (item != i) fail("an item is lost");
               }
           }) /
           double(items);
}

// Few are put and taken over and over, so that each point is as long.
template <class Through>
auto so_many_items(Through through) {
    return [through](double items) {
        const int times = std::max(1, int(20'000 / items));
        double sum = 0;
        for (int i = 0; i < times; ++i) sum += through(std::size_t(items));
        return sum / times;
    };
}

void with_items(bool quick) {
    std::vector<double> counts{1, 10, 100, 1000, 10'000, 100'000};
    if (!quick) counts.push_back(1'000'000);
    mp::Queue<std::uint64_t> processes;
    mt::Queue<std::uint64_t> threads;
    grow("put+get of 8 B, in one process", "items in the queue", "count", counts,
         {{"mp::Queue", Kind::ours,
           so_many_items([&](std::size_t items) { return through_ours(processes, items); })},
          {"mt::Queue", Kind::ours,
           so_many_items([&](std::size_t items) { return through_ours(threads, items); })},
          {"Boost message_queue", Kind::rival, so_many_items(through_boost)}},
         quick ? 1 : 3);
}

// ---- tasks ----

int increment(int number) { return number + 1; }

template <class Pool>
double nanoseconds_a_task(Pool& pool, int tasks) {
    const int times = std::max(1, 2000 / tasks);
    return nanoseconds([&] {
               for (int turn = 0; turn < times; ++turn) {
                   std::vector<decltype(pool.submit(increment, 0))> results;
                   results.reserve(std::size_t(tasks));
                   for (int i = 0; i < tasks; ++i) results.push_back(pool.submit(increment, i));
                   for (int i = 0; i < tasks; ++i) {
                       if (results[std::size_t(i)].get() != i + 1)
                           fail("a task gave back what it should not");
                   }
               }
           }) /
           double(tasks) / times;
}

void with_tasks(bool quick) {
    mp::Pool processes(2);
    mt::Pool threads(2);
    AsioPool asio(2);
    const auto by = [](auto& pool) {
        return [&pool](double tasks) { return nanoseconds_a_task(pool, int(tasks)); };
    };
    std::vector<double> counts{1, 10, 100, 1000, 10'000, 100'000};
    if (!quick) counts.push_back(1'000'000);
    grow("a task of a pool of two", "tasks in flight", "count", counts,
         {{"mp::Pool", Kind::ours, by(processes)},
          {"mt::Pool", Kind::ours, by(threads)},
          {"Asio thread_pool", Kind::rival, by(asio)}},
         quick ? 1 : 3);
}

template <class Pool>
double with_so_many(double workers, int tasks) {
    Pool pool{std::size_t(workers)};
    nanoseconds_a_task(pool, std::max(1000, int(workers) * 20));  // its workers have to start
    return nanoseconds_a_task(pool, tasks);
}

void with_workers_of_a_pool(bool quick) {
    const int tasks = quick ? 20'000 : 100'000;
    std::vector<double> counts{1, 2, 4, 16, 64};
    if (!quick) {
        counts.push_back(256);
        counts.push_back(1000);
    }
    grow("a task, " + std::to_string(tasks) + " in flight", "workers of the pool", "count", counts,
         {{"mp::Pool", Kind::ours, [=](double workers) { return with_so_many<mp::Pool>(workers, tasks); }},
          {"mt::Pool", Kind::ours, [=](double workers) { return with_so_many<mt::Pool>(workers, tasks); }},
          {"Asio thread_pool", Kind::rival,
           [=](double workers) { return with_so_many<AsioPool>(workers, tasks); }}},
         quick ? 1 : 3);
}

// ---- locks ----

template <class Lock>
double wanted_by(double threads, int times) {
    Lock lock;
    std::uint64_t counter = 0;
    std::barrier start(std::ptrdiff_t(threads) + 1);
    std::vector<std::jthread> all;
    for (int i = 0; i < int(threads); ++i) {
        all.emplace_back([&] {
            start.arrive_and_wait();
            for (int turn = 0; turn < times / int(threads); ++turn) {
                lock.lock();
                ++counter;
                lock.unlock();
            }
        });
    }
    const double elapsed = nanoseconds([&] {
        start.arrive_and_wait();
        all.clear();  // joins them
    });
    return elapsed / double(counter);
}

void with_threads_at_a_lock(bool quick) {
    const int times = quick ? 100'000 : 400'000;
    grow("a lock, taken and given back", "threads that want it", "count", {1, 2, 4, 16, 64, 256},
         {{"mt::Lock", Kind::ours, [=](double threads) { return wanted_by<mt::Lock>(threads, times); }},
          {"mp::Lock", Kind::ours, [=](double threads) { return wanted_by<mp::Lock>(threads, times); }},
          {"std::mutex", Kind::rival, [=](double threads) { return wanted_by<std::mutex>(threads, times); }}},
         quick ? 1 : 3);
}

}  // namespace

int main(int argc, char** argv) {
    const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
    with_the_parents_memory(quick);
    with_workers_alive(quick);
    with_items(quick);
    with_tasks(quick);
    with_workers_of_a_pool(quick);
    with_threads_at_a_lock(quick);
}
