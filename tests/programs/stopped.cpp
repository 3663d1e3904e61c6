// stopped WAY [late]: the whole process group is stopped for longer than a call's timeout while the call
// runs, and continued. Then the call is told to return, unless it is to be late.
#include <csignal>
#include <ctime>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;
using namespace std::chrono_literals;

namespace {

constexpr auto timeout = 1s;

void sleep_for(std::chrono::milliseconds time) {
    timespec left{time.count() / 1000, (time.count() % 1000) * 1'000'000};
    while (::nanosleep(&left, &left) != 0) {
    }
}

// Stops the group of its maker, and continues it. In a group of its own; asked by a byte, which it answers.
class Stopper {
public:
    Stopper() {
        if (::pipe(ask_) != 0 || ::pipe(answer_) != 0) ::_exit(2);
        const pid_t group = ::getpgrp();
        pid_ = ::fork();
        if (pid_ != 0) return;
        ::setpgid(0, 0);
        char byte = 0;
        if (::read(ask_[0], &byte, 1) != 1) ::_exit(2);
        ::kill(-group, SIGSTOP);
        sleep_for(2s);
        ::kill(-group, SIGCONT);
        ::_exit(::write(answer_[1], &byte, 1) == 1 ? 0 : 2);
    }
    void stop_all() {
        char byte = 0;
        if (::write(ask_[1], &byte, 1) != 1 || ::read(answer_[0], &byte, 1) != 1) ::_exit(2);
        ::waitpid(pid_, nullptr, 0);
    }

private:
    int ask_[2];
    int answer_[2];
    pid_t pid_ = -1;
};

int tell_and_await(mp::Event begun, mp::Event go) {
    begun.set();
    go.wait();
    return 7;
}

void initialise(mp::Event begun, mp::Event go) {
    chorus::print("initializer");
    tell_and_await(begun, go);
}

int seven() { return 7; }

void report(const chorus::Future<int>& future) {
    try {
        chorus::print("result", future.get(20s));
    } catch (const chorus::TimedOut& error) {
        chorus::print("TimedOut", error.what());
    } catch (const std::exception& error) {
        chorus::print("error", error.what());
    }
}

}  // namespace

int main(int argc, char** argv) {
    const std::string way = argv[1];
    const bool late = argc > 2;
    ::setpgid(0, 0);
    Stopper stopper;
    mp::Event begun;
    mp::Event go;
    // Something has ended its call at once when it goes on, or gives it the rest of its time.
    const auto stop_and_go = [&] {
        begun.wait();
        stopper.stop_all();
        sleep_for(300ms);
        if (!late) go.set();
    };
    if (way == "pool") {
        mp::Pool pool(1);
        const auto future = pool.submit({.timeout = timeout}, tell_and_await, begun, go);
        stop_and_go();
        report(future);
        // Its worker goes on with other tasks, or another does.
        report(pool.submit({.timeout = 20s}, seven));
    } else if (way == "initializer") {
        mp::Pool pool(1, {.initializer = {initialise, begun, go}, .timeout = timeout});
        const auto future = pool.submit({.timeout = 20s}, seven);
        stop_and_go();
        report(future);
    } else if (way == "async") {
        const auto future = mp::async({.timeout = timeout}, tell_and_await, begun, go);
        stop_and_go();
        report(future);
    } else {
        ::signal(SIGCONT, [](int) {});  // a program's own interrupts the wait
        chorus::mt::Thread other(stop_and_go);
        other.start();
        try {
            chorus::print("result", mp::run({.timeout = timeout}, tell_and_await, begun, go));
        } catch (const chorus::TimedOut& error) {
            chorus::print("TimedOut", error.what());
        }
        other.join();
    }
}
