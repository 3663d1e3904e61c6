// A pool does tasks while random workers are killed at random instants, and others are stopped for a moment.
//
//     pool_storm [SECONDS [TASKS [SEED [METHOD]]]]
//
// Two passes, of half of the seconds each, and of so many tasks each at least: in the first a death costs its
// task, in the second tasks are tried again. Prints tasks, kills, right and died, and what may never be:
// answers that are wrong, tasks that are lost (no answer, or a death that they cannot have met) or doubled
// (done or answered twice), a waiter left hanging. Exit status 1 if there was any of that.
//
// A kill costs one task at most. What that one did before is in the ledger, which the pool does not know: it
// has begun and may have ended, or was killed between the pool's word that it begins and its own first step.
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

unsigned long long number(std::uint64_t value) { return value; }

// ---- the ledger ----

struct Entry {
    std::atomic<std::uint8_t> begun{0};
    std::atomic<std::uint8_t> ended{0};
    std::atomic<std::uint8_t> told{0};  ///< calls of its future's callback
};
constexpr std::size_t most_tasks = std::size_t{1} << 28;

// A file without a name, which workers find however they were started.
constexpr const char* where_it_is = "POOL_STORM_LEDGER";

Entry* map_ledger(int descriptor) {
    void* const memory = ::mmap(nullptr, most_tasks * sizeof(Entry), PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_NORESERVE, descriptor, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    return static_cast<Entry*>(memory);
}

Entry* make_ledger() {
    const int descriptor = ::memfd_create("pool-storm", MFD_CLOEXEC);
    if (descriptor < 0 || ::ftruncate(descriptor, static_cast<off_t>(most_tasks * sizeof(Entry))) != 0)
        throw std::bad_alloc();
    const std::string path = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(descriptor);
    ::setenv(where_it_is, path.c_str(), 1);
    return map_ledger(descriptor);
}

Entry& entry_in_worker(std::size_t task) {
    static Entry* const ledger = [] {
        const int descriptor = ::open(std::getenv(where_it_is), O_RDWR | O_CLOEXEC);
        if (descriptor < 0) throw std::bad_alloc();
        Entry* const found = map_ledger(descriptor);
        ::close(descriptor);
        return found;
    }();
    return ledger[task];
}

// ---- the task ----

using Item = std::vector<std::uint64_t>;  // number, check sum, filling

std::uint64_t check_sum(const Item& item) {
    std::uint64_t sum = 0x9e3779b97f4a7c15;
    for (std::size_t i = 0; i < item.size(); ++i) {
        if (i != 1) sum = (sum ^ item[i]) * 0x100000001b3;
    }
    return sum;
}

// Mostly small ones, and some so long that they do not lie in the queue itself.
Item make_item(std::uint64_t task, std::uint64_t kind) {
    const std::uint64_t random = (task ^ kind) * 0x9e3779b97f4a7c15 >> 32;
    Item item(random % 4096 == 0 ? 20'000 : random % 64 == 0 ? 2000 : 2 + random % 8, task * kind);
    item[0] = task;
    item[1] = check_sum(item);
    return item;
}
constexpr std::uint64_t question = 1;
constexpr std::uint64_t answer = 3;

// Returns nothing if what it was given is not what was sent.
Item answer_to(const Item& item) {
    if (item.size() < 2 || item[0] >= most_tasks) return {};
    Entry& entry = entry_in_worker(item[0]);
    ++entry.begun;
    // By turns workers wait for tasks, and tasks for workers: else deaths would seldom meet a task.
    if (item[0] / 20'000 % 2 != 0) {
        volatile int spent = 0;
        for (int i = 0; i < 10'000; ++i) spent = spent + 1;
    }
    if (item != make_item(item[0], question)) return {};
    auto made = make_item(item[0], answer);
    ++entry.ended;
    return made;
}

// ---- the storm ----

class Killer {
public:
    Killer(mp::Pool& pool, unsigned seed) : pool_(pool), random_(seed), thread_([this] { run(); }) {}
    ~Killer() { stop(); }
    Killer(const Killer&) = delete;
    Killer& operator=(const Killer&) = delete;

    void stop() {
        {
            const std::lock_guard guard(mutex_);
            ends_ = true;
        }
        changed_.notify_all();
        if (thread_.joinable()) thread_.join();
    }

    std::uint64_t kills = 0;
    std::uint64_t stops = 0;

private:
    void run() {
        while (!pause(5ms, 150ms)) {
            const auto pids = pool_.worker_pids();
            if (pids.empty()) continue;
            const auto any = [&] { return pids[random_() % pids.size()]; };
            if (random_() % 4 == 0) {  // several, one on the heels of the other
                const std::size_t first = random_();
                for (std::size_t i = 0, count = 1 + random_() % pids.size(); i < count; ++i)
                    strike(pids[(first + i) % pids.size()]);
            } else if (random_() % 3 == 0) {
                const int stopped = any();
                ::kill(stopped, SIGSTOP);
                ++stops;
                pause(1ms, 100ms);
                if (random_() % 2 == 0) strike(any());
                ::kill(stopped, SIGCONT);
            } else {
                strike(any());
            }
        }
    }
    void strike(int pid) {
        if (::kill(pid, SIGKILL) == 0) ++kills;
    }
    // Returns whether it is over.
    bool pause(std::chrono::microseconds least, std::chrono::microseconds most) {
        std::unique_lock lock(mutex_);
        const auto length =
            least + std::chrono::microseconds(random_() % static_cast<std::uint64_t>((most - least).count()));
        return changed_.wait_for(lock, length, [this] { return ends_; });
    }

    mp::Pool& pool_;
    std::mt19937 random_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool ends_ = false;
    std::thread thread_;  // last: it uses the others
};

class Storm {
public:
    Storm(int retries, unsigned seed) : retries_(retries), seed_(seed) {}

    /// Returns whether all is as it should be.
    bool run(std::chrono::duration<double> duration, std::size_t least_tasks) {
        Watchdog watchdog(*this);
        const auto end = Clock::now() + duration;
        {
            mp::Pool pool(4);
            Killer killer(pool, seed_);
            for (; (tasks_ < least_tasks || Clock::now() < end) && tasks_ < most_tasks; ++tasks_) {
                if (on_its_way_.size() == most_on_its_way) hear_oldest();
                submit(pool);
            }
            while (!on_its_way_.empty()) hear_oldest();
            killer.stop();
            kills_ = killer.kills;
            stops_ = killer.stops;
        }
        return report();
    }

private:
    static constexpr std::size_t most_on_its_way = 10'000;

    // Nothing has ended for so long: nothing will.
    class Watchdog {
    public:
        explicit Watchdog(Storm& storm)
            : thread_([&storm](const std::stop_token& stop) {
                  std::mutex mutex;
                  std::condition_variable_any never;
                  for (std::uint64_t seen = ~std::uint64_t{0}; seen != storm.told_;) {
                      seen = storm.told_;
                      std::unique_lock lock(mutex);
                      never.wait_for(lock, stop, 60s, [] { return false; });
                      if (stop.stop_requested()) return;
                  }
                  storm.tell_who_waits();
                  if (std::getenv("STORM_KEEP") != nullptr) ::raise(SIGSTOP);
                  std::abort();
              }) {}

    private:
        std::jthread thread_;
    };

    void submit(mp::Pool& pool) {
        auto future = pool.submit({.retries = retries_}, answer_to, make_item(tasks_, question));
        future.add_done_callback([this, task = tasks_.load()](const chorus::Future<Item>&) {
            ++ledger_[task].told;
            ++told_;
        });
        on_its_way_.emplace_back(std::move(future));
    }

    void hear_oldest() {
        const std::size_t task = heard_++;
        const Entry& entry = ledger_[task];
        try {
            const auto item = on_its_way_.front().get();
            item == make_item(task, answer) ? ++right_ : ++wrong_;
            if (entry.ended == 0) ++lost_;  // the answer to another one
        } catch (const chorus::WorkerDied& error) {
            ++died_;
            if (error.signal() != SIGKILL || error.task() != task + 1 || retries_ != 0) ++wrong_;
            if (entry.begun == 0) ++before_their_first_step_;
        } catch (const std::exception& error) {
            std::printf("task %llu: %s\n", number(task + 1), error.what());
            ++wrong_;
        }
        on_its_way_.pop_front();
    }

    // All from the ledger: whatever else there is may be what hangs.
    void tell_who_waits() const {
        std::printf("hung 1, after %llu answers to %llu tasks\n", number(told_), number(tasks_));
        int left = 10;
        for (std::size_t task = 0; task < tasks_ && left > 0; ++task) {
            const Entry& entry = ledger_[task];
            if (entry.told != 0) continue;
            std::printf("task %llu has begun %d times and ended %d times\n", number(task + 1),
                        int{entry.begun}, int{entry.ended});
            --left;
        }
        std::fflush(stdout);
    }

    bool report() {
        std::uint64_t again = 0;
        for (std::size_t task = 0; task < tasks_; ++task) {
            const Entry& entry = ledger_[task];
            if (entry.told == 0) ++lost_;
            if (entry.told > 1) ++doubled_;
            if (entry.begun > 1) again += entry.begun - 1U;
            if (retries_ == 0 && entry.begun > 1) ++doubled_;
        }
        if (died_ + again > kills_) lost_ += died_ + again - kills_;  // some of them without a death
        std::printf(
            "retries %d: tasks %llu, kills %llu, stops %llu, right %llu, died %llu (%llu before their first "
            "step), done again %llu\n",
            retries_, number(tasks_), number(kills_), number(stops_), number(right_), number(died_),
            number(before_their_first_step_), number(again));
        std::printf("wrong %llu, lost %llu, doubled %llu, hung 0\n", number(wrong_), number(lost_),
                    number(doubled_));
        std::fflush(stdout);
        return wrong_ == 0 && lost_ == 0 && doubled_ == 0 && kills_ != 0 && right_ + died_ == tasks_;
    }

    const int retries_;
    const unsigned seed_;
    Entry* const ledger_ = make_ledger();
    std::deque<chorus::Future<Item>> on_its_way_;
    std::atomic<std::size_t> tasks_{0};
    std::size_t heard_ = 0;
    std::atomic<std::uint64_t> told_{0};
    std::uint64_t kills_ = 0;
    std::uint64_t stops_ = 0;
    std::uint64_t right_ = 0;
    std::uint64_t died_ = 0;
    std::uint64_t before_their_first_step_ = 0;
    std::uint64_t wrong_ = 0;
    std::uint64_t lost_ = 0;
    std::uint64_t doubled_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    const double seconds = argc > 1 ? std::atof(argv[1]) : 20;
    const auto tasks = argc > 2 ? static_cast<std::size_t>(std::atoll(argv[2])) : 0;
    const unsigned seed = argc > 3 ? static_cast<unsigned>(std::atoi(argv[3])) : std::random_device{}();
    if (argc > 4) mp::set_start_method(argv[4]);
    std::printf("storm over a pool of %g s, seed %u, by %s\n", seconds, seed, mp::get_start_method().c_str());
    std::fflush(stdout);
    const bool first = Storm(0, seed).run(std::chrono::duration<double>(seconds / 2), tasks);
    const bool second = Storm(1000, seed + 1).run(std::chrono::duration<double>(seconds / 2), tasks);
    return first && second ? 0 : 1;
}
