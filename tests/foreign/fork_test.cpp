// The program calls fork() itself, while its other threads use handles of Chorus: the copy can use them.
#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <chorus/chorus.hpp>
#include <support/start_methods.hpp>

namespace mt = chorus::threading;

namespace {

constexpr int copies = 40;
constexpr unsigned too_long = 20;  // seconds

// Threads do this all the time; each copy does it once.
void expect_free_in_copies(const char* what, const std::function<void()>& use) {
    std::atomic<bool> done{false};
    std::vector<std::thread> busy;
    for (int i = 0; i < 2; ++i) {
        busy.emplace_back([&] {
            while (!done) use();
        });
    }
    for (int i = 0; i < copies; ++i) {
        const pid_t copy = ::fork();
        if (copy == 0) {
            ::alarm(too_long);
            use();
            ::_exit(0);
        }
        int status = 0;
        ASSERT_EQ(::waitpid(copy, &status, 0), copy);
        EXPECT_EQ(status, 0) << what << ", copy " << i;
        if (status != 0) break;
    }
    done = true;
    for (auto& thread : busy) thread.join();
}

TEST(ForkByTheProgram, finds_handles_of_processes_free) {
    mp::Process ended([] {});
    ended.start();
    ended.join();
    mp::Process running([] { mp::Event().wait(); });
    running.start();
    mp::Process not_started([] {});
    for (const auto* process : {&ended, &running, &not_started})
        expect_free_in_copies("Process", [process] { static_cast<void>(process->name()); });
    running.kill();
    running.join();
}

TEST(ForkByTheProgram, finds_handles_of_threads_free) {
    mt::Thread thread([] {});
    expect_free_in_copies("Thread", [&] { static_cast<void>(thread.name()); });
}

TEST(ForkByTheProgram, finds_locals_free) {
    mt::local<int> local(7);
    expect_free_in_copies("local", [&] { std::thread([&] { EXPECT_EQ(*local, 7); }).join(); });
}

TEST(ForkByTheProgram, finds_task_groups_free) {
    mt::Pool pool(1);
    mt::TaskGroup group(pool);
    expect_free_in_copies("TaskGroup", [&] { group.cancel(); });
}

TEST(ForkByTheProgram, finds_shared_objects_free) {
    mp::Queue<int> queue;
    mp::Lock lock;
    expect_free_in_copies("Queue", [&] {
        queue.put(1);
        static_cast<void>(queue.get());
    });
    expect_free_in_copies("Lock", [&] { const std::lock_guard guard(lock); });
}

}  // namespace
