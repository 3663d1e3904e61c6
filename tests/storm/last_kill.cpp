// After the last kill no process sleeps on: short rounds, in each of which some of a few processes that
// use one object are killed, and then all others must come to their end.
//
//     last_kill [SECONDS]
//
// A storm does not see a sleeper whose wake died with another process, as long as others come by and
// wake it later. Here none comes by. Prints rounds, kills, and what hung. Exit status 1 if any did.
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <new>
#include <random>
#include <vector>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chorus/chorus.hpp>
#include "platform/robust_mutex.hpp"

namespace mp = chorus::multiprocessing;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

constexpr int processes = 4;

template <class T>
T& shared() {
    void* const memory =
        ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    return *new (memory) T;
}

std::atomic<bool>& ends = shared<std::atomic<bool>>();

struct Round {
    std::function<void(int process)> work;  ///< until it ends
    std::function<void()> end;
};

class Game {
public:
    explicit Game(unsigned seed) : random_(seed) {}

    /// Returns how many hung.
    int play(const char* name, std::chrono::duration<double> time, const std::function<Round()>& begin) {
        int rounds = 0;
        int kills = 0;
        int hung = 0;
        for (const auto until = Clock::now() + time; Clock::now() < until && hung == 0; ++rounds) {
            ends = false;
            const Round round = begin();
            std::vector<pid_t> pids;
            for (int process = 0; process < processes; ++process) pids.push_back(start(round, process));
            ::usleep(static_cast<useconds_t>(300 + random_() % 1500));
            const auto first = random_();
            const auto victims = 1 + random_() % (processes - 1);
            for (unsigned i = 0; i < victims; ++i, ++kills) {
                ::kill(pids[(first + i) % processes], SIGKILL);
                if (random_() % 2 == 0) ::usleep(static_cast<useconds_t>(random_() % 50));
            }
            ends = true;
            if (round.end) round.end();
            for (const pid_t pid : pids) hung += comes_to_its_end(pid) ? 0 : 1;
        }
        std::printf("%s: rounds %d, kills %d, hung %d\n", name, rounds, kills, hung);
        std::fflush(stdout);
        return hung;
    }

private:
    static pid_t start(const Round& round, int process) {
        const pid_t pid = ::fork();
        if (pid < 0) std::abort();
        if (pid == 0) {
            round.work(process);
            ::_exit(0);
        }
        return pid;
    }

    static bool comes_to_its_end(pid_t pid) {
        const auto until = Clock::now() + 20s;
        while (::waitpid(pid, nullptr, WNOHANG) == 0) {
            if (Clock::now() > until) {
                ::kill(pid, SIGKILL);
                ::waitpid(pid, nullptr, 0);
                return false;
            }
            ::usleep(50);
        }
        return true;
    }

    std::mt19937 random_;
};

Round with_a_robust_mutex() {
    static auto& mutex = shared<chorus::detail::platform::RobustMutex>();
    new (&mutex) chorus::detail::platform::RobustMutex;
    return {[](int) {
                while (!ends) {
                    mutex.lock();
                    mutex.unlock();
                }
            },
            {}};
}

Round with_a_lock() {
    return {[lock = mp::Lock()](int) mutable {
                while (!ends) {
                    try {
                        lock.acquire();
                    } catch (const chorus::OwnerDied&) {
                        lock.recover();
                    }
                    lock.release();
                }
            },
            {}};
}

// A process that is killed takes what it had acquired with it: in the end there is one for each.
Round with_a_semaphore() {
    mp::Semaphore semaphore(1);
    return {[semaphore](int) mutable {
                while (!ends) {
                    semaphore.acquire();
                    semaphore.release();
                }
            },
            [semaphore]() mutable { semaphore.release(processes); }};
}

Round with_an_event() {
    mp::Event event;
    return {[event](int) mutable { event.wait(); }, [event]() mutable { event.set(); }};
}

void hold(mp::Condition& condition) {
    try {
        condition.acquire();
    } catch (const chorus::OwnerDied&) {
        condition.recover();
    }
}

// One notifies one, over and over.
Round with_a_condition() {
    mp::Condition condition;
    return {[condition](int process) mutable {
                while (!ends) {
                    hold(condition);
                    try {
                        process == 0 ? condition.notify() : void(ends || condition.wait());
                    } catch (const chorus::OwnerDied&) {
                        condition.recover();
                    }
                    condition.release();
                }
            },
            [condition]() mutable {
                hold(condition);
                condition.notify_all();
                condition.release();
            }};
}

// One puts, for the others.
Round with_a_queue(std::size_t room) {
    mp::Queue<int> queue(room);
    return {[queue](int process) mutable {
                try {
                    for (;;) {
                        if (process == 0) {
                            queue.put(1);
                        } else {
                            queue.get();
                        }
                    }
                } catch (const chorus::ShutDown&) {
                }
            },
            [queue]() mutable { queue.shutdown(); }};
}

// Nothing is in it: all wait in line.
Round with_an_empty_queue() {
    mp::Queue<int> queue;
    return {[queue](int) mutable {
                try {
                    queue.get();
                } catch (const chorus::ShutDown&) {
                }
            },
            [queue]() mutable { queue.shutdown(); }};
}

}  // namespace

int main(int argc, char** argv) {
    const std::chrono::duration<double> time((argc > 1 ? std::atof(argv[1]) : 20) / 8);
    Game game(std::random_device{}());
    int hung = game.play("robust mutex", time, with_a_robust_mutex);
    hung += game.play("Lock", time, with_a_lock);
    hung += game.play("Semaphore", time, with_a_semaphore);
    hung += game.play("Event", time, with_an_event);
    hung += game.play("Condition", time, with_a_condition);
    hung += game.play("Queue", time, [] { return with_a_queue(0); });
    hung += game.play("Queue with room for 2", time, [] { return with_a_queue(2); });
    hung += game.play("empty Queue", time, with_an_empty_queue);
    return hung == 0 ? 0 : 1;
}
