// exit() from where it is not expected: inside what the library calls, or while others wait in it.
// exits_inside WHERE [METHOD]: of threads, or of processes by that method. The code is 3; 9 means that it
// went on.
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <chorus/chorus.hpp>

#include "../support/until_asleep.hpp"

namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;
using namespace std::chrono_literals;

namespace {

int nap(int milliseconds) {
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    if (milliseconds == 13) throw std::runtime_error("13");
    return milliseconds;
}

void leave(const auto&...) { std::exit(3); }

template <class Pool>
void in_pool(Pool& pool, const std::string& where) {
    std::vector<int> naps(400, 1);
    if (where == "progress") {
        const auto leave_at_20 = [](const chorus::Progress& progress) {
            if (progress.done > 20) std::exit(3);
        };
        pool.map({.progress = leave_at_20}, nap, naps);
    } else if (where == "callback") {
        std::vector<chorus::Future<int>> futures;
        for (int i = 0; i < 200; ++i) {
            futures.push_back(pool.submit(nap, 1));
            futures.back().add_done_callback([i](auto&&...) {
                if (i == 20) std::exit(3);
            });
        }
        for (auto& each : futures) each.get();
    } else if (where == "idle") {
        pool.submit(nap, 50).add_done_callback(leave<chorus::Future<int>>);
        for (;;) ::pause();
    } else if (where == "get") {
        auto future = pool.submit(nap, 50);
        future.add_done_callback(leave<chorus::Future<int>>);
        pool.submit(nap, 500).get();
    } else if (where == "nested") {
        auto future = pool.submit(nap, 20);
        future.add_done_callback([&pool](auto&&...) {
            auto inner = pool.submit(nap, 20);
            inner.add_done_callback(leave<chorus::Future<int>>);
            inner.get();
        });
        pool.submit(nap, 500).get();
    } else if (where == "loop") {
        int seen = 0;
        for (const int each : pool.imap(nap, naps)) {
            if (++seen > 20 && each != 0) std::exit(3);
        }
    } else if (where == "catch") {
        naps[30] = 13;
        try {
            pool.map(nap, naps);
        } catch (const std::runtime_error&) {
            std::exit(3);
        }
    } else if (where == "thread") {
        std::thread other([] {
            std::this_thread::sleep_for(100ms);
            std::exit(3);
        });
        pool.map(nap, naps);
        other.join();
    } else if (where == "beside_return") {  // main's code is not the one given
        std::thread([] { std::exit(3); }).detach();
        std::this_thread::sleep_for(100ms);
        pool.map(nap, std::vector<int>(20, 1));
    } else if (where == "while_main_ends") {  // which waits for this very task
        auto future = pool.submit(nap, 200);
        future.add_done_callback(leave<chorus::Future<int>>);
        pool.submit(nap, 1).get();
        std::exit(9);
    } else if (where == "handler") {
        std::signal(SIGTERM, [](int) { std::exit(3); });
        std::thread([] {
            std::this_thread::sleep_for(100ms);
            ::kill(::getpid(), SIGTERM);
            // The signal may have met main where it holds what its end needs: what POSIX does not promise.
            std::this_thread::sleep_for(5s);
            ::kill(::getpid(), SIGTERM);
        }).detach();
        for (;;) pool.map(nap, naps);
    }
}

// What the end waits for only main could do, and main is in the handler.
void in_handler_for_ever() {
    mt::Event never;
    mt::Thread waiting([never]() mutable {
        sigset_t terminations;  // for main: the handler's exit() could end the program from this thread
        ::sigemptyset(&terminations);
        ::sigaddset(&terminations, SIGTERM);
        ::pthread_sigmask(SIG_BLOCK, &terminations, nullptr);
        never.wait();
    });
    waiting.start();
    until_asleep(waiting);  // a wait that begins while the program ends is refused
    std::signal(SIGTERM, [](int) {
        chorus::print("exits");
        std::exit(3);
    });
    std::raise(SIGTERM);
    never.set();
}

void in_async(const std::string& where) {
    auto future = mp::async(nap, 50);
    future.add_done_callback(leave<chorus::Future<int>>);
    if (where == "async") future.get();
    if (where == "async_while_main_ends") std::exit(9);
    for (;;) ::pause();
}

}  // namespace

int main(int argc, char** argv) {
    const std::string where = argv[1];
    if (argc > 2) mp::set_start_method(argv[2]);
    if (where == "handler_for_ever") {
        in_handler_for_ever();
    } else if (where.starts_with("async")) {
        in_async(where);
    } else if (argc > 2) {
        mp::Pool pool(2);
        in_pool(pool, where);
    } else {
        mt::Pool pool(2);
        in_pool(pool, where);
    }
    return 9;
}
