// Kills a process at each single instruction of an operation, and looks whether the rest goes on.
//
//     every_instruction OPERATION [STRIDE]
//
// For each n: a child forked from this process begins the operation; after n instructions, stepped one by
// one, it is killed. Then this process, which holds the same objects, must find a state that the operation
// allows, finish it where it must, and go on. A sleeper waits where the operation wakes one: it must be
// woken, too. Prints how many instructions were tried. Exit status 1 at the first that leaves a wrong state,
// 2 if something hangs (an alarm ends it).
#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <chorus/chorus.hpp>

#include "ledger.hpp"

#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mp = chorus::multiprocessing;
using namespace std::chrono_literals;

namespace {

/// One round: objects, what the victim does, and what must hold when it was killed.
struct Trial {
    std::function<void()> operation;  ///< in the victim
    std::function<bool(bool finished)>
        check;                             ///< here, afterwards; `finished`: it was not killed before its end
    std::function<void()> before = [] {};  ///< in the victim, before the steps
};

std::atomic<std::uint32_t>* const phase = shared_with_forks<std::atomic<std::uint32_t>>();

// A process that waits for something, and notes down that it came.
class Sleeper {
public:
    explicit Sleeper(std::function<void()> wait)
        : woken_(shared_with_forks<std::atomic<std::uint32_t>>()), process_([wait, woken = woken_] {
              *woken = 1;
              wait();
              *woken = 2;
          }) {
        process_.start();
        while (*woken_ == 0) std::this_thread::yield();
        // Until it sleeps in the kernel: looked up, not guessed.
        const std::string path = "/proc/" + std::to_string(process_.pid()) + "/stat";
        for (;;) {
            std::FILE* const file = std::fopen(path.c_str(), "r");
            char text[256]{};
            const bool read = file != nullptr && std::fgets(text, sizeof text, file) != nullptr;
            if (file != nullptr) std::fclose(file);
            const char* const state = std::strrchr(text, ')');
            if (read && state != nullptr && state[2] == 'S') break;
            std::this_thread::yield();
        }
    }
    /// It must end by itself.
    bool is_woken() {
        if (!process_.join(10s)) {
            process_.kill();
            process_.join();
            return false;
        }
        return *woken_ == 2;
    }
    ~Sleeper() {
        process_.kill();
        process_.join();
        ::munmap(woken_, sizeof *woken_);
    }
    Sleeper(const Sleeper&) = delete;
    Sleeper& operator=(const Sleeper&) = delete;

private:
    std::atomic<std::uint32_t>* woken_;
    mp::ForkProcess process_;
};

enum class End { killed, finished, elsewhere };

// A child that has begun the operation and is stopped right before it. A twin of it runs before, so that what
// happens once only (the linker's look-ups, the victim's own life) is not stepped through again and again.
class Victim {
public:
    explicit Victim(const Trial& trial, const Trial& twin) {
        *phase = 0;
        pid_ = ::fork();
        if (pid_ == 0) {
            twin.before();
            twin.operation();
            trial.before();
            ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
            ::raise(SIGSTOP);
            trial.operation();
            *phase = 1;
            ::raise(SIGSTOP);
            ::_exit(0);
        }
        wait();
    }
    ~Victim() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    Victim(const Victim&) = delete;
    Victim& operator=(const Victim&) = delete;

    /// False if that was the end of the operation.
    bool step() {
        ::ptrace(PTRACE_SINGLESTEP, pid_, nullptr, nullptr);
        return wait();
    }
    bool has_finished() const { return *phase == 1; }

#if defined(__x86_64__)
    static constexpr bool can_run_ahead = true;
    /// Of the instruction that comes next.
    std::uint64_t address() const {
        return static_cast<std::uint64_t>(
            ::ptrace(PTRACE_PEEKUSER, pid_, offsetof(struct user, regs.rip), nullptr));
    }
    /// Runs until that instruction would come next. False if it never does.
    bool run_to(std::uint64_t wanted) {
        // By a breakpoint (int3) in the victim's own copy of the code. Debug registers are not to be had in
        // each virtual machine.
        const long code = ::ptrace(PTRACE_PEEKTEXT, pid_, wanted, nullptr);
        if (::ptrace(PTRACE_POKETEXT, pid_, wanted, (code & ~0xffL) | 0xcc) != 0) return false;
        ::ptrace(PTRACE_CONT, pid_, nullptr, nullptr);
        const bool is_there = wait() && address() == wanted + 1;
        ::ptrace(PTRACE_POKETEXT, pid_, wanted, code);
        ::ptrace(PTRACE_POKEUSER, pid_, offsetof(struct user, regs.rip), wanted);
        return is_there;
    }
#else
    static constexpr bool can_run_ahead = false;
    std::uint64_t address() const { return 0; }
    bool run_to(std::uint64_t) { return false; }
#endif

private:
    bool wait() {
        int status = 0;
        ::waitpid(pid_, &status, 0);
        return !has_finished() && WIFSTOPPED(status);
    }
    pid_t pid_ = -1;
};

// The way of the operation: the address after each number of instructions, and the last place before it that
// was new there. To be killed after n instructions, a victim runs to the last new place and is stepped only
// from there: what would be n steps for each n, a second for each few hundred, is few but in loops.
class Way {
public:
    Way(const Trial& trial, const Trial& twin) {
        if (!Victim::can_run_ahead) return;
        Victim victim(trial, twin);
        std::set<std::uint64_t> seen;
        std::uint64_t place = 0;
        for (std::uint64_t n = 0;; ++n) {
            addresses_.push_back(victim.address());
            if (seen.insert(addresses_.back()).second) place = n;
            last_new_.push_back(place);
            if (!victim.step()) break;
        }
    }
    /// How many instructions the victim is to run at once.
    std::uint64_t ahead(std::uint64_t instructions) const {
        return addresses_.empty() ? 0
                                  : last_new_[std::min<std::uint64_t>(instructions, last_new_.size() - 1)];
    }
    std::uint64_t address_after(std::uint64_t instructions) const { return addresses_[instructions]; }

private:
    std::vector<std::uint64_t> addresses_;
    std::vector<std::uint64_t> last_new_;
};

// Runs the operation in a fork and kills it after so many instructions, of which it runs the first at once.
// If it does not come by, since it went another way this time, the end is elsewhere.
End run_and_kill(const Trial& trial, const Trial& twin, std::uint64_t instructions, std::uint64_t ahead,
                 const Way& way) {
    Victim victim(trial, twin);
    if (ahead > 0 && !victim.run_to(way.address_after(ahead))) return End::elsewhere;
    for (std::uint64_t i = ahead; i < instructions && victim.step(); ++i) {
    }
    return victim.has_finished() ? End::finished : End::killed;
}

// ---- the operations -----------------------------------------------------------------------------

void acquire(mp::Lock& lock) {
    try {
        lock.acquire();
    } catch (const chorus::OwnerDied&) {
        lock.recover();
    }
}

Trial put_into(
    mp::Queue<std::uint64_t> queue, std::function<void()> before = [] {}) {
    return {[queue]() mutable { queue.put(2); },
            [queue](bool finished) mutable {
                const auto item = queue.try_get();
                if (finished && item != 2U) return false;
                if (item && *item != 2U) return false;
                queue.put(3);
                return queue.get() == 3 && queue.empty();
            },
            std::move(before)};
}

Trial put() {
    mp::Queue<std::uint64_t> queue;
    queue.put(1);
    queue.get();
    return put_into(queue);
}

// Once a process knows the queue there is a quicker way.
Trial put_quickly() {
    mp::Queue<std::uint64_t> queue;
    return put_into(queue, [queue]() mutable {
        queue.put(1);
        queue.get();
    });
}

Trial put_wakes() {
    mp::Queue<std::uint64_t> queue;
    const auto sleeper = std::make_shared<Sleeper>([queue]() mutable { queue.get(); });
    return {[queue]() mutable { queue.put(2); },
            [queue, sleeper](bool finished) mutable {
                // If it was put, the sleeper has it without another's help.
                if (!finished && queue.qsize() == 0) {
                    // Not put, or taken already: one more cannot hurt.
                    queue.put(3);
                }
                return sleeper->is_woken();
            }};
}

Trial put_long() {
    mp::Queue<std::vector<std::uint64_t>> queue;
    queue.put(std::vector<std::uint64_t>(20'000, 1));
    queue.get();
    // Made here: the steps are for putting it.
    const std::vector<std::uint64_t> value(20'000, 2);
    return {[queue, value]() mutable { queue.put(value); },
            [queue, value](bool finished) mutable {
                const auto item = queue.try_get();
                if (finished && !item) return false;
                if (item && *item != value) return false;
                for (int i = 0; i < 3; ++i) {
                    queue.put(std::vector<std::uint64_t>(20'000, 3));
                    if (queue.get() != std::vector<std::uint64_t>(20'000, 3)) return false;
                }
                return queue.empty();
            }};
}

Trial put_grows() {
    mp::Queue<std::vector<std::uint64_t>> queue(8);  // its first ring is small
    queue.put(std::vector<std::uint64_t>(100, 1));
    return {[queue]() mutable { queue.put(std::vector<std::uint64_t>(1000, 2)); },
            [queue](bool finished) mutable {
                if (queue.get() != std::vector<std::uint64_t>(100, 1)) return false;
                const auto item = queue.try_get();
                if (finished && !item) return false;
                if (item && *item != std::vector<std::uint64_t>(1000, 2)) return false;
                for (std::uint64_t i = 0; i < 8; ++i) queue.put(std::vector<std::uint64_t>(500 + i, i));
                for (std::uint64_t i = 0; i < 8; ++i) {
                    if (queue.get() != std::vector<std::uint64_t>(500 + i, i)) return false;
                }
                return queue.empty();
            }};
}

Trial get_from(
    mp::Queue<std::uint64_t> queue, std::function<void()> before = [] {}) {
    queue.put(1);
    queue.put(2);
    return {[queue]() mutable { queue.get(); },
            [queue](bool finished) mutable {
                // The first is back, or has died with the process that got it; never twice.
                auto item = queue.try_get();
                if (!item || (finished && *item != 2U)) return false;
                if (*item == 1U) item = queue.try_get();
                return item == 2U && queue.empty();
            },
            std::move(before)};
}

Trial get() { return get_from(mp::Queue<std::uint64_t>()); }

Trial get_quickly() {
    mp::Queue<std::uint64_t> queue;
    queue.put(0);
    return get_from(queue, [queue]() mutable { queue.get(); });
}

Trial get_long() {
    mp::Queue<std::vector<std::uint64_t>> queue;
    queue.put(std::vector<std::uint64_t>(20'000, 1));
    queue.put(std::vector<std::uint64_t>(20'000, 2));
    return {[queue]() mutable { queue.get(); },
            [queue](bool finished) mutable {
                auto item = queue.try_get();
                if (!item || (finished && item->at(0) != 2U)) return false;
                if (item->at(0) == 1U) item = queue.try_get();
                if (!item || *item != std::vector<std::uint64_t>(20'000, 2)) return false;
                queue.put(std::vector<std::uint64_t>(20'000, 3));
                return queue.get() == std::vector<std::uint64_t>(20'000, 3) && queue.empty();
            }};
}

Trial get_makes_room() {
    mp::Queue<std::uint64_t> queue(1);
    queue.put(1);
    const auto sleeper = std::make_shared<Sleeper>([queue]() mutable { queue.put(2); });
    return {[queue]() mutable { queue.get(); },
            [queue, sleeper](bool finished) mutable {
                if (!finished && queue.full())
                    queue.get();  // the first is still there, or the second is already
                return sleeper->is_woken();
            }};
}

Trial send_wakes() {
    auto ends = mp::Pipe({.duplex = false});
    const auto sleeper = std::make_shared<Sleeper>([reader = ends.first] { reader.recv<int>(); });
    return {[writer = ends.second] { writer.send(2); },
            [writer = ends.second, sleeper](bool finished) {
                try {
                    if (!finished) writer.send(3);     // one too many if the first was sent
                } catch (const chorus::BrokenPipe&) {  // it was, and the sleeper is gone
                }
                return sleeper->is_woken();
            }};
}

Trial acquire_lock() {
    mp::Lock lock;
    return {[lock]() mutable { lock.acquire(); },
            [lock](bool finished) mutable {
                bool owner_died = false;
                try {
                    if (!lock.acquire(5s)) return false;
                } catch (const chorus::OwnerDied&) {
                    owner_died = true;
                    lock.recover();
                }
                lock.release();
                if (finished && !owner_died) return false;
                return lock.acquire(5s);  // told once
            }};
}

Trial release_lock() {
    mp::Lock lock;
    return {[lock]() mutable {
                lock.acquire();
                lock.release();
            },
            [lock](bool) mutable {
                acquire(lock);
                lock.release();
                return lock.acquire(5s);
            }};
}

Trial release_wakes() {
    mp::Lock lock;
    lock.acquire();  // any process may release it
    const auto sleeper = std::make_shared<Sleeper>([lock]() mutable { acquire(lock); });
    return {[lock]() mutable { lock.release(); },
            [lock, sleeper](bool finished) mutable {
                if (!finished) {
                    try {
                        lock.release();
                    } catch (const chorus::UsageError&) {  // it has been released
                    }
                }
                return sleeper->is_woken();
            }};
}

Trial semaphore_release_wakes() {
    mp::Semaphore semaphore(0);
    const auto sleeper = std::make_shared<Sleeper>([semaphore]() mutable { semaphore.acquire(); });
    return {[semaphore]() mutable { semaphore.release(); },
            [semaphore, sleeper](bool finished) mutable {
                // Released and not taken yet: the sleeper goes on alone. Not released, or taken already: one
                // more cannot hurt.
                if (!finished && semaphore.get_value() == 0) semaphore.release();
                return sleeper->is_woken();
            }};
}

Trial event_set_wakes() {
    mp::Event event;
    const auto sleeper = std::make_shared<Sleeper>([event] { event.wait(); });
    return {[event]() mutable { event.set(); },
            [event, sleeper](bool finished) mutable {
                if (finished && !event.is_set()) return false;
                if (!event.is_set()) event.set();
                return sleeper->is_woken();
            }};
}

Trial notify() {
    mp::Condition condition;
    const auto sleeper = std::make_shared<Sleeper>([condition]() mutable {
        condition.acquire();
        try {
            condition.wait();
        } catch (const chorus::OwnerDied&) {
            condition.recover();
        }
        condition.release();
    });
    return {[condition]() mutable {
                condition.acquire();
                condition.notify();
                condition.release();
            },
            [condition, sleeper](bool) mutable {
                try {
                    condition.acquire();
                } catch (const chorus::OwnerDied&) {
                    condition.recover();
                }
                condition.notify();
                condition.release();
                return sleeper->is_woken();
            }};
}

const std::map<std::string, Trial (*)()> trials{
    {"put", put},
    {"put_wakes", put_wakes},
    {"put_quickly", put_quickly},
    {"get_quickly", get_quickly},
    {"put_long", put_long},
    {"put_grows", put_grows},
    {"get", get},
    {"get_long", get_long},
    {"get_makes_room", get_makes_room},
    {"send_wakes", send_wakes},
    {"acquire", acquire_lock},
    {"release", release_lock},
    {"release_wakes", release_wakes},
    {"semaphore_release_wakes", semaphore_release_wakes},
    {"event_set_wakes", event_set_wakes},
    {"notify", notify},
};

}  // namespace

int main(int argc, char** argv) {
    const auto found = argc > 1 ? trials.find(argv[1]) : trials.end();
    if (found == trials.end()) {
        std::fprintf(stderr, "every_instruction OPERATION [STRIDE]; operations:");
        for (const auto& [name, make] : trials) std::fprintf(stderr, " %s", name.c_str());
        std::fprintf(stderr, "\n");
        return 2;
    }
    const std::uint64_t stride = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
    std::uint64_t tried = 0;
    ::alarm(30);
    const Way way(found->second(), found->second());
    for (std::uint64_t instructions = 0;; instructions += stride) {
        ::alarm(30);  // ends us if anything below hangs
        End end = End::elsewhere;
        bool is_right = false;
        for (std::uint64_t ahead = way.ahead(instructions); end == End::elsewhere; ahead = 0) {
            const Trial trial = found->second();
            const Trial twin = found->second();
            end = run_and_kill(trial, twin, instructions, ahead, way);
            if (std::getenv("DBG"))
                std::fprintf(stderr, "%llu ahead %llu end %d\n", (unsigned long long)instructions,
                             (unsigned long long)ahead, (int)end);
            is_right = end == End::elsewhere || trial.check(end == End::finished);
        }
        if (!is_right) {
            std::printf("%s: wrong state when killed after %llu instructions\n", argv[1],
                        static_cast<unsigned long long>(instructions));
            return 1;
        }
        ++tried;
        if (end == End::finished) break;
    }
    std::printf("%s: killed at %llu instructions, and all went on\n", argv[1],
                static_cast<unsigned long long>(tried));
    return 0;
}
