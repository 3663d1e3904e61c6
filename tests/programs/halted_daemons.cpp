// What a static object's destructor waits for, and only a daemon thread could end, which is halted by then.
// halted_daemons WHAT: prints what came of it.
#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <thread>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;

namespace {

std::function<void()>& at_end = *new std::function<void()>;

struct AtExit {
    ~AtExit() {
        if (!at_end) return;
        try {
            at_end();
            std::puts("returned");
        } catch (const chorus::UsageError& error) {
            std::printf("UsageError: %s\n", error.what());
        }
        std::fflush(stdout);
    }
} at_exit;

[[noreturn]] void stay() {
    for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));
}

// Held by a daemon indefinitely.
template <class Lock>
void held() {
    auto& lock = *new Lock;
    mt::Event is_held;
    mt::Thread daemon({.daemon = true}, [&lock, is_held]() mutable {
        lock.acquire();
        is_held.set();
        stay();
    });
    daemon.start();
    is_held.wait();
    at_end = [&lock] { lock.acquire(); };
}

// Given only by a daemon, which does not come to it.
template <class Object, class Wait>
void awaited(Wait wait) {
    auto& object = *new Object;
    mt::Thread({.daemon = true}, stay).start();
    at_end = [&object, wait] { wait(object); };
}

template <class Condition>
void await_notification() {
    awaited<Condition>([](Condition& condition) {
        condition.acquire();
        condition.wait();
    });
}

}  // namespace

int main(int, char** argv) {
    const std::string what = argv[1];
    if (what == "mt::Lock") held<mt::Lock>();
    if (what == "mt::RLock") held<mt::RLock>();
    if (what == "mt::Semaphore") held<mt::Semaphore>();
    if (what == "mt::Condition") held<mt::Condition>();
    if (what == "mp::Lock") held<mp::Lock>();
    if (what == "mp::RLock") held<mp::RLock>();
    if (what == "mp::Semaphore") held<mp::Semaphore>();
    if (what == "mp::Condition") held<mp::Condition>();
    if (what == "mt::Condition.wait") await_notification<mt::Condition>();
    if (what == "mp::Condition.wait") await_notification<mp::Condition>();
    if (what == "mt::Event") awaited<mt::Event>([](auto& event) { event.wait(); });
    if (what == "mp::Event") awaited<mp::Event>([](auto& event) { event.wait(); });
    if (what == "mt::Queue") awaited<mt::Queue<int>>([](auto& queue) { queue.get(); });
    if (what == "mp::Queue") awaited<mp::Queue<int>>([](auto& queue) { queue.get(); });
    if (what == "with a deadline")
        awaited<mt::Event>([](auto& event) { event.wait(std::chrono::milliseconds(10)); });
    if (what == "free") awaited<mt::Lock>([](auto& lock) { lock.acquire(); });
    if (what == "after a pool") {
        mp::Pool(1).apply([](int n) { return n; }, 1);
        mp::async([](int n) { return n; }, 1).get();
        held<mt::Lock>();
    }
}
