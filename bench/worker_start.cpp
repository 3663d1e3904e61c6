// What does it cost to start a worker and to join it, what does an idle one weigh, and does either
// depend on the parent's size or on how many there are?
#include <csignal>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chorus/chorus.hpp>

#include "children.hpp"
#include "rows.hpp"

extern char** environ;
namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;

namespace {

void nothing() {}
void idle() { ::pause(); }

template <class Worker>
void start_and_join() {
    Worker worker(nothing);
    worker.start();
    worker.join();
}

void join_raw(pid_t pid) {
    int status = 0;
    ::waitpid(pid, &status, 0);
    if (status != 0) {
        std::perror("a raw child failed");
        std::exit(1);
    }
}

// Without the handlers that Chorus, and any other library, has registered for the program's own forks.
void raw_fork() {
    const pid_t pid = ::_Fork();
    if (pid == 0) ::_exit(0);
    join_raw(pid);
}

void raw_spawn() {
    char name[] = "bench";
    char empty[] = "--empty";
    char* arguments[] = {name, empty, nullptr};
    pid_t pid = 0;
    if (::posix_spawn(&pid, "/proc/self/exe", nullptr, nullptr, arguments, environ) != 0) std::exit(1);
    join_raw(pid);
}

void std_thread() { std::thread(nothing).join(); }

double proportional_bytes(int pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
    for (std::string word; file >> word;) {
        if (word == "Pss:") {
            double kilobytes = 0;
            file >> kilobytes;
            return kilobytes * 1024;
        }
    }
    return 0;
}

double average_bytes(const std::vector<int>& pids) {
    double sum = 0;
    for (const int pid : pids) {
        bench::wait_until_asleep(pid);
        sum += proportional_bytes(pid);
    }
    return sum / static_cast<double>(pids.size());
}

void weigh_idle_children() {
    constexpr int count = 100;
    std::vector<mp::ForkServerProcess> workers;
    std::vector<int> pids;
    for (int i = 0; i < count; ++i) {
        workers.emplace_back(idle);
        workers.back().start();
        pids.push_back(workers.back().pid());
    }
    const double ours = average_bytes(pids);
    for (auto& worker : workers) {
        worker.kill();
        worker.join();
    }
    pids.clear();
    for (int i = 0; i < count; ++i) {
        const pid_t pid = ::_Fork();
        if (pid == 0) {
            ::pause();
            ::_exit(0);
        }
        pids.push_back(pid);
    }
    const double raw = average_bytes(pids);
    for (const int pid : pids) {
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
    }
    bench::print("capacity", "memory of an idle child, 100 alive (PSS)",
                 {"mp::Process, forkserver", bench::Kind::ours, {ours}},
                 {{"raw forked child", bench::Kind::limit, {raw}}}, "bytes");
}

// By turns in a small and in a large process would need two processes; the small one is measured
// before and after instead.
void grow_the_parent() {
    constexpr int rounds = 200;
    const auto measure = [] {
        std::vector<double> values;
        for (int i = 0; i < rounds; ++i)
            values.push_back(bench::nanoseconds(start_and_join<mp::ForkServerProcess>));
        return values;
    };
    const auto before = measure();
    const std::size_t size = std::size_t{4} << 30;
    void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return;
    ::madvise(memory, size, MADV_NOHUGEPAGE);
    std::memset(memory, 1, size);
    const auto large = measure();
    std::vector<double> raw;
    for (int i = 0; i < 5; ++i) raw.push_back(bench::nanoseconds(raw_fork));
    ::munmap(memory, size);
    auto small = measure();
    small.insert(small.end(), before.begin(), before.end());
    bench::print(
        "process", "start+join, forkserver, 4 GiB touched in the parent",
        {"mp::Process, forkserver", bench::Kind::ours, large},
        {{"the same without", bench::Kind::limit, small}, {"raw fork with 4 GiB", bench::Kind::rival, raw}});
}

// Children wait for the end of a pipe, so all are alive when the last is started.
void wait_for_end_of_input() {
    char byte = 0;
    while (::read(STDIN_FILENO, &byte, 1) > 0) {
    }
}

// Calls start_all(count) with a pipe as standard input, ends the pipe, calls join_all().
template <class StartAll, class JoinAll>
double nanoseconds_each_alive_at_once(int count, StartAll&& start_all, JoinAll&& join_all) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) std::exit(1);
    const int input = ::dup(STDIN_FILENO);
    ::dup2(ends[0], STDIN_FILENO);
    const double total = bench::nanoseconds([&] {
        start_all(count, ends[1]);
        ::close(ends[1]);
        join_all();
    });
    ::dup2(input, STDIN_FILENO);
    ::close(input);
    ::close(ends[0]);
    return total / count;
}

double many_by_fork_server(int count) {
    std::vector<mp::ForkServerProcess> workers;
    const auto start_all = [&](int wanted, int) {
        for (int i = 0; i < wanted; ++i) {
            workers.emplace_back(wait_for_end_of_input);
            workers.back().start();
        }
    };
    const auto join_all = [&] {
        for (auto& worker : workers) worker.join();
    };
    const double each = nanoseconds_each_alive_at_once(count, start_all, join_all);
    for (auto& worker : workers) {
        if (worker.exitcode() != 0) {
            std::fprintf(stderr, "a worker of many ended with %d\n", worker.exitcode().value_or(-1));
            std::exit(1);
        }
    }
    return each;
}

double many_by_raw_fork(int count) {
    std::vector<pid_t> pids;
    const auto start_all = [&](int wanted, int pipe_end) {
        for (int i = 0; i < wanted; ++i) {
            pids.push_back(::_Fork());
            if (pids.back() != 0) continue;
            ::close(pipe_end);
            wait_for_end_of_input();
            ::_exit(0);
        }
    };
    return nanoseconds_each_alive_at_once(count, start_all, [&] {
        for (const pid_t pid : pids) join_raw(pid);
    });
}

// The first round also brings the memory that so many processes need.
void many_alive(int count) {
    constexpr int rounds = 4;
    std::vector<double> each;
    std::vector<double> raw;
    std::vector<double> one;
    for (int round = 0; round < rounds; ++round) {
        for (int i = 0; i < 200; ++i)
            one.push_back(bench::nanoseconds(start_and_join<mp::ForkServerProcess>));
        const double ours = many_by_fork_server(count);
        const double rival = many_by_raw_fork(count);
        if (round == 0) continue;
        each.push_back(ours);
        raw.push_back(rival);
    }
    bench::print(
        "capacity", std::to_string(count) + " alive at once, started and joined, each",
        {"mp::Process, forkserver", bench::Kind::ours, each},
        {{"one at a time", bench::Kind::limit, one}, {"as many raw forks", bench::Kind::limit, raw}});
}

}  // namespace

int main(int argc, char** argv) {
    using namespace bench;
    if (argc > 1 && std::strcmp(argv[1], "--empty") == 0) return 0;
    const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
    const int rounds = quick ? 100 : 1000;
    const Limit fork{doing("raw fork+_exit+waitpid", raw_fork)};
    race("process", "start+join, forkserver",
         doing("mp::Process, forkserver", start_and_join<mp::ForkServerProcess>), {fork}, rounds);
    race("process", "start+join, fork", doing("mp::Process, fork", start_and_join<mp::ForkProcess>), {fork},
         rounds);
    race("process", "start+join, spawn", doing("mp::Process, spawn", start_and_join<mp::SpawnProcess>),
         {Limit{doing("posix_spawn of the same binary", raw_spawn)}}, rounds / 4);
    race("process", "run of an empty function", doing("mp::run", [] { mp::run(nothing); }), {fork}, rounds);
    race("thread", "start+join", doing("mt::Thread", start_and_join<mt::Thread>, 50),
         {Rival{doing("std::thread", std_thread, 50)}}, rounds / 5);
    weigh_idle_children();
    grow_the_parent();
    many_alive(quick ? 1000 : 10000);
}
