// A library of some user's with a service thread that is there before main, and that is safe to fork, by
// at-fork handlers: as linear algebra, loggers and tracers are. service_thread METHOD [preload]
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <pthread.h>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;
using namespace std::chrono_literals;

namespace {

class Service {
public:
    void begin() {
        std::thread([this] { serve(); }).detach();
    }
    int square(int number) {
        std::promise<int> answer;
        {
            const std::lock_guard guard(mutex_);
            jobs_.emplace_back([&] { answer.set_value(number * number); });
        }
        has_jobs_.notify_one();
        return answer.get_future().get();
    }
    void before_fork() { mutex_.lock(); }
    void after_fork_in_parent() { mutex_.unlock(); }
    void after_fork_in_child() {
        new (&mutex_) std::mutex;
        new (&has_jobs_) std::condition_variable;
        begin();
    }

private:
    void serve() {
        for (;;) {
            std::unique_lock lock(mutex_);
            has_jobs_.wait(lock, [this] { return !jobs_.empty(); });
            auto job = std::move(jobs_.front());
            jobs_.pop_front();
            lock.unlock();
            job();
        }
    }

    std::mutex mutex_;
    std::condition_variable has_jobs_;
    std::deque<std::function<void()>> jobs_;
};

Service* service = nullptr;

void begin_service() {
    service = new Service;
    service->begin();
    ::pthread_atfork([] { service->before_fork(); }, [] { service->after_fork_in_parent(); },
                     [] { service->after_fork_in_child(); });
}

// As a library's constructor. With "preload" the fork server begins it later, and only there.
[[gnu::constructor]] void constructor(int argc, char** argv, char**) {
    if (argc < 3 || std::string(argv[2]) != "preload") begin_service();
}

int square(int number) { return service->square(number); }

}  // namespace

int main(int argc, char** argv) {
    mp::set_start_method(argv[1]);
    if (argc > 2) mp::set_forkserver_preload(begin_service);
    try {
        chorus::print("run", mp::run({.timeout = 20s}, square, 7), mp::run({.timeout = 20s}, square, 8));
        mp::Pool pool(2, {.timeout = 20s});
        const auto squares = pool.map(square, std::vector{1, 2, 3});
        chorus::print("map", squares[0], squares[1], squares[2]);
        chorus::print("method", mp::run([] { return mp::get_start_method(); }));
    } catch (const std::exception& error) {
        chorus::print(error.what());
        return 1;
    }
}
