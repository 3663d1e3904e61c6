// Uses each part of the library once, and prints a line on each: for environments that lack something.
// every_part [DIRECTORY]: changes to that directory first
#include <csignal>
#include <iostream>
#include <string>
#include <vector>

#include <chorus/chorus.hpp>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace {

namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;
using namespace std::chrono_literals;

constexpr int open_in_the_parent = 77;

int square(int x) { return x * x; }
int square_or_crash(int x) {
    if (x == 3) std::raise(SIGSEGV);
    return x * x;
}
bool has_descriptor(int descriptor) { return ::fcntl(descriptor, F_GETFD) >= 0; }
std::size_t allocate(std::size_t size) { return std::vector<char>(size, 'x').size(); }
void nothing() {}

void put_under_lock(mp::Queue<int> queue, mp::Lock lock, int count) {
    for (int i = 0; i < count; ++i) {
        const std::lock_guard guard(lock);
        queue.put(i);
    }
}
void take_and_die(mp::Lock lock, mp::Event taken) {
    lock.acquire();
    taken.set();
    std::raise(SIGKILL);
}
void wait_and_notify(mp::Condition condition, mp::Barrier barrier) {
    barrier.wait();
    const std::lock_guard guard(condition);
    condition.notify_all();
}

template <class Part>
void part(const std::string& name, Part run) {
    std::string text = name + ": ";
    try {
        text += run();
    } catch (const chorus::OsError& error) {
        text += std::string("OsError: ") + error.what();
    } catch (const std::exception& error) {
        text += std::string("exception: ") + error.what();
    }
    std::cout << text << std::endl;
}

std::string start(const char* method) {
    const auto context = mp::get_context(method);
    auto process = context.Process(nothing);
    process.start();
    process.join();
    return std::to_string(process.exitcode().value_or(255));
}

std::string descriptors(const char* method) {
    mp::Pool pool(1, {.start_method = method});
    return pool.submit(has_descriptor, open_in_the_parent).get() ? "inherited" : "closed";
}

std::string queue_and_lock() {
    mp::Queue<int> queue(10);
    mp::Lock lock;
    std::vector<mp::Process> processes;
    for (int i = 0; i < 2; ++i) processes.emplace_back(put_under_lock, queue, lock, 100);
    for (auto& process : processes) process.start();
    long sum = 0;
    for (int i = 0; i < 200; ++i) sum += queue.get(60s);
    for (auto& process : processes) process.join();
    return std::to_string(sum);
}

std::string owner_died() {
    mp::Lock lock;
    mp::Event taken;
    mp::Process process(take_and_die, lock, taken);
    process.start();
    taken.wait(60s);
    try {
        lock.acquire(60s);
        return "acquired";
    } catch (const chorus::OwnerDied&) {
        return "OwnerDied";
    }
}

std::string condition_and_barrier() {
    mp::Condition condition;
    mp::Barrier barrier(2);
    mp::Process process(wait_and_notify, condition, barrier);
    process.start();
    const std::lock_guard guard(condition);
    barrier.wait(60s);
    return condition.wait(60s) ? "notified" : "not notified";
}

std::string pool_crash() {
    mp::Pool pool(2);
    std::vector<chorus::Future<int>> futures;
    for (int i = 0; i < 6; ++i) futures.push_back(pool.submit(square_or_crash, i));
    int sum = 0;
    int died = 0;
    for (auto& future : futures) {
        try {
            sum += future.get();
        } catch (const chorus::WorkerDied&) {
            ++died;
        }
    }
    return std::to_string(sum) + ", " + std::to_string(died) + " died";
}

std::string out_of_memory() {
    try {
        mp::run({.memory = 64 * 1024 * 1024}, allocate, std::size_t{1} << 30);
        return "allocated";
    } catch (const chorus::OutOfMemory&) {
        return "OutOfMemory";
    }
}

std::string timed_out() {
    try {
        mp::run({.timeout = 100ms}, [] { ::pause(); });
        return "returned";
    } catch (const chorus::TimedOut&) {
        return "TimedOut";
    }
}

std::string named_memory() {
    mp::SharedMemory memory({.create = true, .size = 4096});
    memory.buf()[0] = std::byte{1};
    memory.unlink();
    return "made";
}

std::string question_and_answer() {
    auto [near, far] = mp::Pipe();
    mp::Process process([](mp::Connection end) { end.send(end.recv<int>() + 1); }, far);
    process.start();
    near.send(41);
    const int answer = near.recv<int>();
    process.join();
    return std::to_string(answer);
}

}  // namespace

int main(int count, char** arguments) {
    if (count > 1 && ::chdir(arguments[1]) != 0) return 2;
    const int null = ::open("/dev/null", O_RDONLY);
    ::dup2(null, open_in_the_parent);
    part("threads", [] { return std::to_string(mt::Pool(2).submit(square, 5).get()); });
    part("thread queue", [] {
        mt::Queue<int> queue;
        mt::Thread thread([&] { queue.put(7); });
        thread.start();
        const int got = queue.get(60s);
        thread.join();
        return std::to_string(got);
    });
    part("lock", [] { return mp::Lock().acquire() ? "acquired" : "not acquired"; });
    for (const char* method : {"fork", "spawn", "forkserver"}) {
        part("start", [&] { return start(method); });
        part("descriptors", [&] { return descriptors(method); });
    }
    part("run", [] { return std::to_string(mp::run(square, 7)); });
    part("queue and lock", queue_and_lock);
    part("owner died", owner_died);
    part("condition and barrier", condition_and_barrier);
    part("pipe", question_and_answer);
    part("map", [] {
        mp::Pool pool(2);
        long sum = 0;
        for (const int each : pool.map(square, std::vector<int>(100, 2))) sum += each;
        return std::to_string(sum);
    });
    part("pool and crash", pool_crash);
    part("timeout", timed_out);
    part("memory", out_of_memory);
    part("named memory", named_memory);
    part("print", [] {
        chorus::print("printed");
        return "done";
    });
}
