// What a pool's user sees when worker processes die: one task fails, and nothing else.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <support/message_of.hpp>
#include <support/start_methods.hpp>

using namespace std::chrono_literals;
using testing::HasSubstr;

namespace {

class PoolDeath : public EachStartMethod {};
FOR_EACH_START_METHOD(PoolDeath);

int square(int x) { return x * x; }
int die_of(int signal) {
    ::raise(signal);
    return 0;
}
int leave(int code) { ::_exit(code); }
int for_ever(int) {
    for (;;) ::pause();
}
int begin_and_go_on_for_ever(mp::Event begun) {
    begun.set();
    return for_ever(0);
}
int throw_a_number(int x) { throw x; }

TEST_P(PoolDeath, costs_its_task_only) {
    mp::Pool pool(2);
    std::vector<chorus::Future<int>> futures;
    for (int i = 0; i < 60; ++i)
        futures.push_back(i % 10 == 5 ? pool.submit(die_of, SIGKILL) : pool.submit(square, i));
    for (int i = 0; i < 60; ++i) {
        const auto& future = futures[static_cast<std::size_t>(i)];
        if (i % 10 == 5) {
            EXPECT_THAT(
                failure_of<chorus::WorkerDied>(future),
                HasSubstr("task " + std::to_string(i + 1) + " (die_of): its worker was killed by SIGKILL"));
        } else {
            EXPECT_EQ(future.get(20s), i * i);
        }
    }
}

TEST_P(PoolDeath, says_how_and_where) {
    mp::Pool pool(1);
    const auto crashed = pool.submit(die_of, SIGSEGV);
    EXPECT_THAT(failure_of<chorus::WorkerDied>(crashed), HasSubstr("SIGSEGV in"));
    EXPECT_THAT(failure_of<chorus::WorkerDied>(pool.submit(leave, 3)), HasSubstr("exit code 3"));
    EXPECT_THAT(failure_of<chorus::RemoteError>(pool.submit(throw_a_number, 3)), HasSubstr("int"));
    EXPECT_EQ(pool.apply(square, 3), 9);
}

std::string die_as_text(int signal) { return std::to_string(die_of(signal)); }

TEST_P(PoolDeath, tells_the_function_of_a_map) {
    mp::Pool pool(1);
    EXPECT_THAT(failure_of<chorus::WorkerDied>(pool.map_async(die_of, std::vector<int>{SIGKILL})),
                HasSubstr("task 1 (die_of): its worker"));
    EXPECT_THAT(failure_of<chorus::WorkerDied>(pool.map_async(die_as_text, std::vector<int>{SIGKILL})),
                HasSubstr("task 2 (die_as_text): its worker"));
    EXPECT_THAT(
        failure_of<chorus::WorkerDied>(pool.starmap_async(die_of, std::vector<std::tuple<int>>{{SIGKILL}})),
        HasSubstr("task 3 (die_of): its worker"));
}

TEST_P(PoolDeath, a_task_that_kills_each_worker_it_meets_is_given_up) {
    mp::Pool pool(2);
    EXPECT_THAT(failure_of<chorus::WorkerDied>(pool.submit({.retries = 2}, die_of, SIGKILL)),
                HasSubstr("in attempt 3"));
    EXPECT_EQ(pool.apply(square, 3), 9);
}

int die_once(mp::RawValue<int> deaths) {
    deaths.value() += 1;
    if (deaths.value() == 1) ::raise(SIGKILL);
    return deaths.value();
}

TEST_P(PoolDeath, a_task_may_be_tried_again) {
    mp::Pool pool(2);
    mp::RawValue<int> deaths(0);
    EXPECT_EQ(pool.submit({.retries = 1}, die_once, deaths).get(20s), 2);
}

TEST_P(PoolDeath, a_timeout_ends_the_worker_also_a_stopped_one) {
    mp::Pool pool(2);
    EXPECT_THAT(failure_of<chorus::TimedOut>(pool.submit({.timeout = 100ms}, for_ever, 1)),
                HasSubstr("timeout of 0.1"));
    failure_of<chorus::TimedOut>(pool.submit({.timeout = 100ms}, die_of, SIGSTOP));
    EXPECT_EQ(pool.submit({.timeout = 20s}, square, 3).get(), 9);
}

TEST_P(PoolDeath, cancel_ends_a_running_task) {
    mp::Pool pool(1);
    mp::Event begun;
    auto future = pool.submit(begin_and_go_on_for_ever, begun);
    ASSERT_TRUE(begun.wait(20s));
    EXPECT_TRUE(future.running());
    auto next = pool.submit(square, 3);
    EXPECT_TRUE(future.cancel());
    EXPECT_THROW(future.get(), chorus::Cancelled);
    EXPECT_EQ(next.get(20s), 9);
}

TEST_P(PoolDeath, an_idle_worker_killed_is_only_replaced) {
    mp::Pool pool(2);
    for (int i = 0; i < 20; ++i) {
        ASSERT_EQ(pool.submit(square, i).get(20s), i * i);
        for (const int pid : pool.worker_pids()) ::kill(pid, SIGKILL);
    }
}

TEST_P(PoolDeath, in_the_initializer_breaks_the_pool) {
    mp::Pool pool(2, {.initializer = [] { ::raise(SIGSEGV); }});
    EXPECT_THAT(failure_of<chorus::BrokenPool>(pool.submit(square, 1)), HasSubstr("initializer"));
    EXPECT_THROW(pool.submit(square, 1), chorus::BrokenPool);
}

TEST_P(PoolDeath, while_it_is_shut_down_does_not_hang_it) {
    mp::Pool pool(2);
    std::vector<chorus::Future<int>> futures;
    for (int i = 0; i < 20; ++i) futures.push_back(pool.submit(die_of, SIGKILL));
    pool.close();
    EXPECT_TRUE(pool.join(30s));
    for (const auto& each : futures) EXPECT_TRUE(each.done());
}

chorus::WorkerDied death_in(mp::Pool& pool, int (*function)(int), int argument) {
    try {
        pool.submit(function, argument).get(60s);
    } catch (const chorus::WorkerDied& error) {
        return error;
    }
    ADD_FAILURE() << "it has not died";
    return {"", 0, ""};
}
int complain_and_die(int lines) {
    for (int i = 1; i <= lines; ++i) std::fprintf(stderr, "complaint %d\n", i);
    ::raise(SIGKILL);
    return 0;
}
int use_and_die(int mebibytes) {
    std::vector<char> memory(static_cast<std::size_t>(mebibytes) << 20, 'x');
    ::raise(SIGKILL);
    return memory[0];
}

TEST_P(PoolDeath, tells_the_task_and_its_memory) {
    mp::Pool pool(1);
    EXPECT_EQ(pool.apply(square, 3), 9);
    const auto died = death_in(pool, use_and_die, 200);
    EXPECT_EQ(died.task(), 2u);
    EXPECT_EQ(died.signal(), SIGKILL);
    EXPECT_GE(died.memory(), std::size_t{200} << 20);
    EXPECT_THAT(died.what(), HasSubstr("MiB in memory"));
}

// Standard error is the whole process's: in one of its own. Returns what came out, and what the exception
// says.
std::pair<std::string, std::string> complaints(std::size_t last_lines) {
    int ends[2];
    if (::pipe(ends) != 0 || ::dup2(ends[1], STDERR_FILENO) < 0) return {};
    ::close(ends[1]);
    std::string kept;
    {
        mp::Pool pool(1, {.last_lines = last_lines});
        const auto died = death_in(pool, complain_and_die, 20);
        kept = died.last_lines();
        EXPECT_EQ(std::string(died.what()).find("complaint 20") != std::string::npos, last_lines != 0);
    }
    std::string text(65536, '\0');
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    const auto size = ::read(ends[0], text.data(), text.size());
    text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return {text, kept};
}
std::string complaints_from(int first) {
    std::string all;
    for (int i = first; i <= 20; ++i) all += "complaint " + std::to_string(i) + "\n";
    return all;
}

TEST_P(PoolDeath, tells_the_last_lines_of_standard_error_and_all_come_out) {
    const auto [out, kept] = mp::run(complaints, 3);
    EXPECT_EQ(out, complaints_from(1));
    EXPECT_EQ(kept + "\n", complaints_from(18));
}
TEST_P(PoolDeath, nothing_is_kept_if_nobody_wants_it) {
    const auto [out, kept] = mp::run(complaints, 0);
    EXPECT_EQ(out, complaints_from(1));
    EXPECT_EQ(kept, "");
}

int complain(int lines) {
    const std::string line(1000, 'x');
    for (int i = 0; i < lines; ++i) std::fprintf(stderr, "%s\n", line.c_str());
    return lines;
}
std::size_t written_by_healthy_workers(int lines) {
    int ends[2];
    if (::pipe(ends) != 0 || ::dup2(ends[1], STDERR_FILENO) < 0) return 0;
    ::close(ends[1]);
    std::size_t read = 0;
    std::thread reader([&] {
        std::string text(65536, '\0');
        while (const auto size = ::read(ends[0], text.data(), text.size()))
            read += static_cast<std::size_t>(size);
    });
    {
        mp::Pool pool(2);
        pool.map({.chunksize = 1}, complain, std::vector<int>(4, lines));
    }
    ::close(STDERR_FILENO);  // the last one: the reader comes to the end
    reader.join();
    return read;
}
TEST_P(PoolDeath, what_healthy_workers_write_comes_out_whole) {
    EXPECT_EQ(mp::run(written_by_healthy_workers, 500), 4u * 500 * 1001);
}

TEST_P(PoolDeath, by_exit_is_told_in_plain_words) {
    mp::Pool pool(1);
    EXPECT_THAT(failure_of<chorus::WorkerDied>(pool.submit(leave, 3)),
                HasSubstr("task 1 (leave): its worker left with exit code 3"));
}

TEST_P(PoolDeath, killed_at_random_all_others_are_right) {
    mp::Pool pool(2);
    std::atomic<int> heard{0};
    std::jthread killer([&](const std::stop_token& stop) {
        unsigned random = 1;
        for (int last = 0; !stop.stop_requested(); std::this_thread::yield()) {
            const auto pids = pool.worker_pids();
            if (pids.empty() || heard < last + 200)
                continue;  // so that it gets on, however slow workers start
            last = heard;
            ::kill(pids[(random = random * 1664525U + 1013904223U) % pids.size()], SIGKILL);
        }
    });
    std::vector<chorus::Future<int>> futures;
    for (int i = 0; i < 20'000; ++i) futures.push_back(pool.submit(square, i % 1000));
    int right = 0;
    int died = 0;
    int others = 0;
    for (int i = 0; i < 20'000; ++i) {
        heard = i;
        try {
            right += futures[static_cast<std::size_t>(i)].get(60s) == (i % 1000) * (i % 1000) ? 1 : 0;
        } catch (const chorus::WorkerDied&) {
            ++died;
        } catch (const std::exception& error) {
            if (++others == 1) ADD_FAILURE() << error.what();
        }
    }
    EXPECT_EQ(right + died, 20'000);
    EXPECT_LT(died, 2000);
}

}  // namespace
