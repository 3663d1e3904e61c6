// mp::wait: for any of many pipes, queues, processes and descriptors.
#include <random>
#include <thread>

#include <sys/socket.h>

#include <channel/channel_support.hpp>

using testing::HasSubstr;
using testing::IsEmpty;

namespace {

class Wait : public EachStartMethod {};
FOR_EACH_START_METHOD(Wait);

using Waitables = std::vector<mp::Waitable>;

void send_ten(mp::Connection end, bool slow) {
    std::minstd_rand random(static_cast<unsigned>(::getpid()));
    for (int i = 0; i < 10; ++i) {
        if (slow)
            end.poll(std::chrono::microseconds(random() % 20'000));  // nothing ever comes: it passes the time
        end.send(i);
    }
    end.close();
}

void receive_all_from_four(const mp::Context& context, bool slow) {
    Waitables readers;
    std::vector<mp::Connection> ends;
    std::vector<mp::Process> children;
    for (int i = 0; i < 4; ++i) {
        auto [here, there] = mp::Pipe();
        children.push_back(context.Process(send_ten, there, slow));
        ends.push_back(here);
        readers.emplace_back(here);
        children.back().start();
        there.close();
    }
    // By fork a child may hold ends of others, so all is received before any end is waited for.
    std::vector<int> next(4);
    for (int left = 40; left > 0;) {
        const auto ready = mp::wait(readers, 30s);
        ASSERT_FALSE(ready.empty());
        for (const auto& one : ready) {
            const auto place =
                static_cast<std::size_t>(std::find(readers.begin(), readers.end(), one) - readers.begin());
            if (next[place] == 10) continue;  // its end
            ASSERT_EQ(ends[place].recv<int>(), next[place]++);
            --left;
        }
    }
    for (auto& child : children) child.join();
    for (const auto& end : ends) EXPECT_THROW(end.recv<int>(), chorus::EndOfFile);
    EXPECT_EQ(mp::wait(readers), readers) << "ends are ready for ever";
}

TEST_P(Wait, test_wait) { receive_all_from_four(context(), false); }
TEST_P(Wait, test_wait_slow) { receive_all_from_four(context(), true); }

TEST(WaitHere, test_wait_socket_slow) {
    std::vector<std::array<int, 2>> pairs(4);
    Waitables readers;
    std::vector<std::thread> writers;
    for (auto& pair : pairs) {
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), 0);
        readers.emplace_back(pair[0]);
    }
    mp::Event never;
    for (auto& pair : pairs) {
        writers.emplace_back([&never, end = pair[1]] {
            for (int i = 0; i < 10; ++i) {
                never.wait(1ms);
                EXPECT_EQ(::write(end, "x", 1), 1);
            }
            ::close(end);
        });
    }
    int received = 0;
    while (!readers.empty()) {
        for (const auto& one : mp::wait(readers, 30s)) {
            char byte = 0;
            if (::read(one.descriptor(), &byte, 1) == 1) {
                ++received;
            } else {
                std::erase(readers, one);
            }
        }
    }
    EXPECT_EQ(received, 40);
    for (auto& writer : writers) writer.join();
    for (const auto& pair : pairs) ::close(pair[0]);
}

TEST(WaitHere, test_wait_timeout) {
    const auto [left, right] = mp::Pipe();
    for (const auto timeout : {-1ms, 0ms, 100ms}) {
        const auto begin = std::chrono::steady_clock::now();
        EXPECT_THAT(mp::wait({left, right}, timeout), IsEmpty());
        EXPECT_GE(std::chrono::steady_clock::now() - begin, timeout);
    }
    right.send(1);
    EXPECT_EQ(mp::wait({left, right}, 20s), Waitables{left});
    EXPECT_THAT(mp::wait({}, chorus::now), IsEmpty());
    EXPECT_THAT(mp::wait({}, 5ms), IsEmpty());
}

void wait_for_event(mp::Event event) { event.wait(); }

TEST_P(Wait, test_wait_integer) {
    mp::Event may_end;
    auto child = context().Process(wait_for_event, may_end);
    child.start();
    auto [left, right] = mp::Pipe();
    const Waitables all{left, child.sentinel(), right};
    EXPECT_THAT(mp::wait(all, chorus::now), IsEmpty());
    left.send(1);
    EXPECT_EQ(mp::wait(all), Waitables{right});
    may_end.set();
    EXPECT_EQ(mp::wait({left, child.sentinel()}), Waitables{child.sentinel()});
    EXPECT_EQ(mp::wait(all), (Waitables{child.sentinel(), right})) << "all that are ready, in their order";
    right.send(2);
    EXPECT_EQ(mp::wait(all), all);
    child.join();
}

TEST(WaitHere, test_invalid_handles) {
    const auto [left, right] = mp::Pipe();
    for (const int bad : {-1, -12'345, 12'345}) {
        EXPECT_THAT(message_of<chorus::UsageError>([&] {
                        mp::wait({left, bad}, 1s);
                    }),
                    HasSubstr(std::to_string(bad)));
    }
    auto [reader, writer] = mp::Pipe({.duplex = false});
    EXPECT_THROW(mp::wait({writer}), chorus::UsageError) << "it only sends";
    reader.close();
    EXPECT_THROW(mp::wait({reader}), chorus::UsageError);
}

// ---- beyond the rows ---------------------------------------------------------------------------

TEST(WaitHere, a_queue_is_ready_while_it_has_items) {
    mp::Queue<int> queue;
    mp::Queue<std::string> other;
    const Waitables all{queue, other};
    EXPECT_THAT(mp::wait(all, 1ms), IsEmpty());
    queue.put(1);
    EXPECT_EQ(mp::wait(all), Waitables{queue});
    other.put("x");
    EXPECT_EQ(mp::wait(all), all);
    queue.get();
    EXPECT_EQ(mp::wait(all), Waitables{other});
    other.get();
    EXPECT_THAT(mp::wait(all, 1ms), IsEmpty()) << "what rang before is no reason";
}

TEST_P(Wait, who_waits_hears_of_an_item_put_elsewhere) {
    mp::Queue<int> queue;
    mp::Queue<int> idle;
    mp::Queue<int> told;
    auto child = context().Process(
        +[](mp::Queue<int> to, mp::Queue<int> tokens) {
            for (const int token : tokens) to.put(token);
        },
        queue, told);
    child.start();
    for (int i = 0; i < 300; ++i) {
        told.put(i);
        ASSERT_EQ(mp::wait({idle, queue}, 20s), Waitables{queue});
        ASSERT_EQ(queue.get(chorus::now), i);
    }
    told.shutdown();
    child.join();
}

TEST_P(Wait, who_waits_for_a_queue_hears_of_its_shutdown) {
    mp::Queue<int> queue;
    mp::Event waiting;
    auto child = mp::async(
        +[](mp::Queue<int> waited, mp::Event event) {
            event.set();
            return mp::wait({waited}, 20s).size();
        },
        queue, waiting);
    waiting.wait();
    queue.shutdown();
    EXPECT_EQ(child.get(), 1U);
    EXPECT_EQ(mp::wait({queue}), Waitables{queue});
}

TEST(WaitHere, who_sleeps_already_hears_of_a_shutdown) {
    for (const bool immediate : {false, true}) {
        mp::Queue<int> queue;
        std::atomic<int> tid{0};
        std::thread waiter([&] {
            tid = ::gettid();
            EXPECT_EQ(mp::wait({queue}, 20s).size(), 1U);
        });
        while (tid == 0) std::this_thread::yield();
        wait_until_asleep(tid);
        queue.shutdown({.immediate = immediate});
        waiter.join();
    }
}

TEST(WaitHere, plain_pipes_too) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const auto [left, right] = mp::Pipe();
    const Waitables all{ends[0], right};
    EXPECT_THAT(mp::wait(all, chorus::now), IsEmpty());
    EXPECT_EQ(::write(ends[1], "x", 1), 1);
    EXPECT_EQ(mp::wait(all), Waitables{ends[0]});
    char byte = 0;
    EXPECT_EQ(::read(ends[0], &byte, 1), 1);
    ::close(ends[1]);
    EXPECT_EQ(mp::wait(all), Waitables{ends[0]}) << "its end";
    ::close(ends[0]);
}

TEST_P(Wait, an_end_that_is_gone_is_ready) {
    auto [here, there] = mp::Pipe();
    auto child = context().Process(
        +[](mp::Connection ours, mp::Connection theirs) {
            theirs.close();
            ours.recv<int>();
            ::raise(SIGKILL);
        },
        there, here);
    child.start();
    there.close();
    EXPECT_THAT(mp::wait({here}, chorus::now), IsEmpty());
    here.send(1);
    EXPECT_EQ(mp::wait({here}, 20s), Waitables{here});
    EXPECT_THROW(here.recv<int>(), chorus::EndOfFile);
    child.join();
}

TEST(WaitHere, signals_do_not_end_it_early) {
    const auto [left, right] = mp::Pipe();
    const Interruptions interruptions;
    do {
        const auto begin = std::chrono::steady_clock::now();
        EXPECT_THAT(mp::wait({left, right}, 100ms), IsEmpty());
        EXPECT_GE(std::chrono::steady_clock::now() - begin, 100ms);
    } while (Interruptions::count() <= 10);
}

}  // namespace
