// traced METHOD CASE: programs whose trace is looked at. METHOD is how processes are started.
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chorus/chorus.hpp>

#include "support/until_asleep.hpp"

namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;

namespace {

void sing() {}
int square(int x) { return x * x; }
[[noreturn]] void fall() {
    std::raise(SIGSEGV);
    std::abort();
}
void tell_and_wait(mp::Event begun, mp::Event never) {
    begun.set();
    never.wait();
}
void get_three(mp::Queue<std::string> queue) {
    for (int i = 0; i < 3; ++i) queue.get();
}
void receive_one(mp::Connection end) { end.recv<int>(); }
void leave_with_three() { std::exit(3); }
void leave_at_once() { ::_exit(4); }
int throw_something() { throw std::runtime_error("thrown on purpose"); }

void in_process(void (*function)()) {
    mp::Process child(function);
    child.start();
    child.join();
}

int workers() {
    in_process(sing);
    mt::Thread thread(sing);
    thread.start();
    thread.join();
    mt::Thread named({.name = "a \"name\"\n\xff"}, sing);
    named.start();
    named.join();
    return 0;
}

template <class Pool>
int pool() {
    Pool pool(2);
    for (int i = 0; i < 3; ++i) pool.submit(square, i);
    try {
        pool.submit(throw_something).get();
    } catch (const std::runtime_error&) {
    }
    return 0;
}

int killed() {
    mp::Event begun;
    mp::Event never;
    mp::Process child(tell_and_wait, begun, never);
    child.start();
    begun.wait();
    child.kill();
    child.join();
    return 0;
}

int crashed() {
    try {
        mp::run(fall);
    } catch (const chorus::WorkerDied&) {
    }
    return 0;
}

int crashed_in_pool() {
    mp::Pool pool(1);
    try {
        pool.submit(fall).get();
    } catch (const chorus::WorkerDied&) {
    }
    return 0;
}

int exits() {
    in_process(leave_with_three);
    in_process(leave_at_once);
    std::exit(5);
}

// In a thread that sleeps for nothing else, until it does.
template <class Function, class Release>
void block(Function function, Release release) {
    mt::Thread thread([function] {
        mt::current_thread();
        function();
    });
    thread.start();
    until_asleep(thread);
    release();
    thread.join();
}

template <class Lock, class Semaphore, class Event, class Condition, class Barrier, class Queue>
void wait_for_all() {
    Lock lock;
    lock.acquire();
    block([&] { lock.acquire(), lock.release(); }, [&] { lock.release(); });
    Semaphore semaphore(0);
    block([&] { semaphore.acquire(); }, [&] { semaphore.release(); });
    Event event;
    block([&] { event.wait(); }, [&] { event.set(); });
    Condition condition;
    bool told = false;
    block(
        [&] {
            condition.acquire();
            while (!told) condition.wait();
            condition.release();
        },
        [&] {
            condition.acquire();
            told = true;
            condition.notify();
            condition.release();
        });
    Barrier barrier(2);
    block([&] { barrier.wait(); }, [&] { barrier.wait(); });
    Queue queue(1);
    block([&] { queue.get(); }, [&] { queue.put(1); });
    queue.put(1);
    block([&] { queue.put(2); }, [&] { queue.get(); });
    queue.get();
    mt::Event end;
    mt::Thread other([&] { end.wait(); });
    other.start();
    block([&] { other.join(); }, [&] { end.set(); });
}

int waits_of_processes() {
    wait_for_all<mp::Lock, mp::Semaphore, mp::Event, mp::Condition, mp::Barrier, mp::Queue<int>>();
    return 0;
}
int waits_of_threads() {
    wait_for_all<mt::Lock, mt::Semaphore, mt::Event, mt::Condition, mt::Barrier, mt::Queue<int>>();
    return 0;
}

int no_waits() {
    mp::Lock lock;
    mp::Queue<int> queue;
    for (int i = 0; i < 100; ++i) {
        const std::scoped_lock guard(lock);
        queue.put(i);
        queue.get();
    }
    return 0;
}

int messages() {
    mp::Queue<std::string> queue;
    mp::Process child(get_three, queue);
    queue.put("one");
    queue.put("another");
    queue.put(std::string(300'000, 'x'));
    child.start();
    child.join();
    auto [here, there] = mp::Pipe();
    mp::Process receiver(receive_one, there);
    receiver.start();
    here.send(7);
    receiver.join();
    mt::Queue<int> of_threads;
    of_threads.put(1);
    of_threads.get();
    return 0;
}

int plain_fork() {
    const int pid = ::fork();
    if (pid == 0) {
        mt::Thread thread(sing);
        thread.start();
        thread.join();
        std::exit(0);
    }
    ::waitpid(pid, nullptr, 0);
    return 0;
}

// The number that the next file gets which the program opens.
int descriptor() {
    chorus::print(::open("/dev/null", O_RDONLY));
    return 0;
}

int nothing() { return 0; }

}  // namespace

int main(int, char** argv) {
    const std::map<std::string, std::function<int()>> cases{
        {"workers", workers},
        {"pool", pool<mp::Pool>},
        {"thread_pool", pool<mt::Pool>},
        {"killed", killed},
        {"crashed", crashed},
        {"crashed_in_pool", crashed_in_pool},
        {"exits", exits},
        {"waits_of_processes", waits_of_processes},
        {"waits_of_threads", waits_of_threads},
        {"no_waits", no_waits},
        {"messages", messages},
        {"plain_fork", plain_fork},
        {"descriptor", descriptor},
        {"nothing", nothing},
    };
    mp::set_start_method(argv[1]);
    return cases.at(argv[2])();
}
