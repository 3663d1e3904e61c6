// Pipe and Connection: values and bytes between two ends, and what becomes of one when the other is gone.
#include <optional>
#include <thread>

#include <fcntl.h>
#include <sys/epoll.h>

#include <channel/channel_support.hpp>

using testing::AllOf;
using testing::HasSubstr;

namespace {

class Pipe : public EachStartMethod {};
FOR_EACH_START_METHOD(Pipe);

constexpr std::size_t mib = 1024 * 1024;

// ---- the rows of CPython's suite ---------------------------------------------------------------

void echo(mp::Connection end) {
    for (;;) {
        auto bytes = end.recv_bytes();
        if (bytes.empty()) break;
        end.send_bytes(bytes);
    }
    end.close();
}

std::vector<int> echo_value(mp::Connection end) {
    const auto value = end.recv<std::vector<int>>();
    end.send(value);
    return value;
}

TEST_P(Pipe, test_connection) {
    auto [here, there] = mp::Pipe();
    auto value_child = mp::async(echo_value, there);
    const std::vector<int> numbers{1, 2, 3, 4};
    here.send(numbers);
    EXPECT_EQ(here.recv<std::vector<int>>(), numbers);
    EXPECT_EQ(value_child.get(), numbers);

    auto child = context().Process(echo, there);
    child.start();
    there.close();
    here.send_bytes(bytes_of("hello world"));
    EXPECT_EQ(characters_of(here.recv_bytes()), "hello world");

    std::vector<std::byte> buffer(20);
    here.send_bytes(bytes_of("hello"));
    EXPECT_EQ(here.recv_bytes_into(buffer), 5U);
    EXPECT_EQ(characters_of(std::span(buffer).first(6)), std::string("hello\0", 6));
    here.send_bytes(bytes_of("there"));
    EXPECT_EQ(here.recv_bytes_into(buffer, 3), 5U);
    EXPECT_EQ(characters_of(std::span(buffer).first(9)), std::string("helthere\0", 9));
    const auto longer = pattern(40);
    here.send_bytes(bytes_of(longer));
    try {
        here.recv_bytes_into(buffer);
        ADD_FAILURE() << "it does not fit";
    } catch (const chorus::BufferTooShort& error) {
        EXPECT_EQ(error.size(), 40U);
    }
    EXPECT_TRUE(characters_of(here.recv_bytes()) == longer) << "it stayed there";

    EXPECT_FALSE(here.poll());
    EXPECT_FALSE(here.poll(-1s));
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_FALSE(here.poll(50ms));
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 50ms);
    here.send_bytes(bytes_of("x"));
    EXPECT_TRUE(here.poll(20s));
    EXPECT_EQ(characters_of(here.recv_bytes()), "x");

    const auto large = pattern(16 * mib);
    here.send_bytes(bytes_of(large));
    EXPECT_TRUE(characters_of(here.recv_bytes()) == large);

    here.send_bytes({});
    child.join();
    EXPECT_EQ(child.exitcode(), 0);
    EXPECT_TRUE(here.readable());
    EXPECT_TRUE(here.writable());
    EXPECT_TRUE(here.poll());
    EXPECT_THROW(here.recv_bytes(), chorus::EndOfFile);
    EXPECT_THROW(here.recv<int>(), chorus::EndOfFile);
    EXPECT_THROW(here.send(1), chorus::BrokenPipe);
}

TEST_P(Pipe, test_spawn_close) {
    auto [here, there] = mp::Pipe();
    auto child = context().Process({.daemon = true}, echo, there);
    child.start();
    there.close();
    here.send_bytes(bytes_of("hello"));
    EXPECT_EQ(characters_of(here.recv_bytes()), "hello");
    here.send_bytes({});
    here.close();
    child.join();
    EXPECT_EQ(child.exitcode(), 0);
}

TEST(PipeHere, test_sendbytes) {
    const auto [here, there] = mp::Pipe();
    const auto letters = bytes_of("abcdefghijklmnopqrstuvwxyz");
    here.send_bytes(letters);
    EXPECT_EQ(there.recv_bytes(), letters);
    here.send_bytes(letters, 5, letters.size() - 5);
    EXPECT_EQ(characters_of(there.recv_bytes()), "fghijklmnopqrstuvwxyz");
    here.send_bytes(letters, 7, 8);
    EXPECT_EQ(characters_of(there.recv_bytes()), "hijklmno");
    here.send_bytes(letters, 26, 0);
    EXPECT_TRUE(there.recv_bytes().empty());
    here.send_bytes(letters, 0, 0);
    EXPECT_TRUE(there.recv_bytes().empty());
    constexpr auto minus_one = static_cast<std::size_t>(-1);
    for (const auto& [offset, size] :
         std::vector<std::pair<std::size_t, std::size_t>>{{27, 0},
                                                          {22, 5},
                                                          {26, 1},
                                                          {minus_one, 0},
                                                          {0, minus_one},
                                                          {4, minus_one},
                                                          {minus_one, minus_one}}) {
        EXPECT_THAT(message_of<chorus::UsageError>([&] { here.send_bytes(letters, offset, size); }),
                    HasSubstr("of a buffer of 26"));
    }
    EXPECT_FALSE(there.poll()) << "nothing of it was sent";
}

// Open files as such do not travel; what Chorus makes, which are files too, does.
TEST_P(Pipe, test_fd_transfer) {
    auto [here, there] = mp::Pipe();
    auto child = context().Process(
        +[](mp::Connection end) { end.recv<mp::Connection>().send("from there"); }, there);
    child.start();
    auto [reader, writer] = mp::Pipe({.duplex = false});
    here.send(writer);
    writer.close();
    EXPECT_EQ(reader.recv<std::string>(), "from there");
    child.join();
    EXPECT_EQ(child.exitcode(), 0);
}

TEST(PipeHere, test_large_fd_transfer) {
    std::vector<int> taken;
    while (taken.empty() || taken.back() < 300) taken.push_back(::dup(0));
    {
        const auto [left, right] = mp::Pipe();
        const auto [reader, writer] = mp::Pipe({.duplex = false});
        EXPECT_GT(reader.fileno(), 255);
        left.send(reader);
        writer.send(5);
        EXPECT_EQ(right.recv<mp::Connection>().recv<int>(), 5);
    }
    for (const int descriptor : taken) ::close(descriptor);
}

TEST(PipeHere, test_missing_fd_transfer) {
    chorus::detail::message::Writer out;
    {
        const auto [reader, writer] = mp::Pipe({.duplex = false});
        chorus::detail::message::encode(out, writer);
    }
    const auto bytes = out.take();
    chorus::detail::message::Reader in(bytes);
    EXPECT_THAT(message_of<chorus::Error>([&] { chorus::detail::message::decode<mp::Connection>(in); }),
                HasSubstr("pass it as an argument"));
}

TEST(PipeHere, test_context) {
    const std::size_t before = settled_descriptors();
    {
        const auto [left, right] = mp::Pipe();
        left.send(1);
        EXPECT_EQ(right.recv<int>(), 1);
    }
    EXPECT_EQ(open_descriptors(), before) << "the scope's end closes both";
}

TEST(PipeHere, test_empty_string) {
    const auto [left, right] = mp::Pipe();
    EXPECT_FALSE(right.poll());
    left.send_bytes({});
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(right.poll());
    EXPECT_TRUE(is_readable(right.fileno()));
    EXPECT_TRUE(right.recv_bytes().empty());
    EXPECT_FALSE(right.poll());
}

void poll_only(mp::Connection end, mp::Event polling, mp::Event stop) {
    polling.set();
    while (!stop.is_set()) end.poll(1ms);
}

TEST_P(Pipe, test_boundaries) {
    auto [reader, writer] = mp::Pipe({.duplex = false});
    mp::Event polling;
    mp::Event stop;
    auto child = context().Process(poll_only, reader, polling, stop);
    child.start();
    polling.wait();
    for (unsigned i = 0; i < 300; ++i) {
        writer.send_bytes(bytes_of(pattern(i, i)));
        writer.send_bytes(bytes_of(pattern(2 * i, i)));
        ASSERT_TRUE(characters_of(reader.recv_bytes()) == pattern(i, i));
        ASSERT_TRUE(characters_of(reader.recv_bytes()) == pattern(2 * i, i));
    }
    stop.set();
    child.join();
    EXPECT_EQ(child.exitcode(), 0);
}

void send_while_signals_come(mp::Connection end, int messages) {
    const Interruptions interruptions;
    for (int i = 0; i < messages; ++i) end.send(pattern(static_cast<std::size_t>(i) * 5000));
    end.send(end.recv<std::string>());
    while (Interruptions::count() < 3) std::this_thread::yield();
}

TEST_P(Pipe, test_ignore) {
    auto [here, there] = mp::Pipe();
    auto child = context().Process(send_while_signals_come, there, 200);
    child.start();
    wait_until_asleep(child.pid(), 5);  // the pipe is full; its signals wake it each millisecond
    const Interruptions interruptions;
    for (int i = 0; i < 200; ++i)
        ASSERT_TRUE(here.recv<std::string>() == pattern(static_cast<std::size_t>(i) * 5000));
    here.send(pattern(3 * mib));
    ASSERT_TRUE(here.recv<std::string>() == pattern(3 * mib));
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_THROW(here.recv<int>(50ms), chorus::Empty);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 50ms) << "a signal does not end the wait early";
    child.join();
    EXPECT_EQ(child.exitcode(), 0);
}

// ---- what is received --------------------------------------------------------------------------

TEST(PipeHere, of_another_type_stays_in_the_pipe) {
    const auto [left, right] = mp::Pipe();
    left.send("text");
    left.send(pattern(200'000));
    left.send_bytes(bytes_of("bytes"));
    EXPECT_THAT(message_of<chorus::TypeMismatch>([&] { right.recv<std::vector<double>>(); }),
                HasSubstr("std::vector<double"));
    EXPECT_THROW(right.recv<int>(), chorus::TypeMismatch);
    EXPECT_THROW(right.recv_bytes(), chorus::TypeMismatch);
    EXPECT_EQ(right.recv<std::string>(), "text");
    EXPECT_THROW(right.recv<std::vector<char>>(), chorus::TypeMismatch) << "a long one too";
    EXPECT_TRUE(right.recv<std::string>() == pattern(200'000));
    EXPECT_THROW(right.recv<std::string>(), chorus::TypeMismatch);
    EXPECT_EQ(characters_of(right.recv_bytes()), "bytes");
}

TEST(PipeHere, longer_than_allowed_stays_in_the_pipe) {
    const auto [left, right] = mp::Pipe();
    for (const std::size_t size : {std::size_t{10}, std::size_t{300'000}}) {
        const auto sent = pattern(size);
        left.send_bytes(bytes_of(sent));
        try {
            right.recv_bytes(size - 1);
            ADD_FAILURE() << "it is longer";
        } catch (const chorus::BufferTooShort& error) {
            EXPECT_EQ(error.size(), size);
            EXPECT_THAT(error.what(), HasSubstr(std::to_string(size)));
        }
        std::vector<std::byte> buffer(size);
        EXPECT_THROW(right.recv_bytes_into(buffer, 1), chorus::BufferTooShort);
        EXPECT_THROW(right.recv_bytes_into(buffer, size + 1), chorus::UsageError);
        EXPECT_TRUE(characters_of(right.recv_bytes(size)) == sent);
    }
}

TEST(PipeHere, poll_is_true_until_as_many_were_received) {
    const auto [left, right] = mp::Pipe();
    for (int i = 0; i < 3; ++i) left.send(i);
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(right.poll());
        EXPECT_TRUE(right.poll(1s));
        EXPECT_EQ(right.recv<int>(), i);
    }
    EXPECT_FALSE(right.poll());
    EXPECT_FALSE(left.poll());
}

TEST(PipeHere, many_sizes) {
    const auto [left, right] = mp::Pipe();
    for (const std::size_t size : {0UL, 1UL, 8UL, 100UL, 65'000UL, 66'000UL, 131'056UL, 131'064UL, 131'072UL,
                                   131'073UL, 1'000'000UL, 1'100'000UL, 64 * mib}) {
        const auto sent = pattern(size);
        left.send(sent, chorus::now);
        ASSERT_TRUE(right.recv<std::string>() == sent) << size;
        ASSERT_FALSE(right.poll());
    }
}

// ---- use after close, and in the wrong direction -----------------------------------------------

TEST(PipeHere, a_closed_end_refuses) {
    auto [left, right] = mp::Pipe();
    auto same = left;
    left.close();
    left.close();
    EXPECT_TRUE(left.closed());
    EXPECT_TRUE(same.closed()) << "copies are the same end";
    EXPECT_FALSE(left.readable());
    EXPECT_FALSE(left.writable());
    EXPECT_THROW(left.send(1), chorus::UsageError);
    EXPECT_THROW(left.send_bytes({}), chorus::UsageError);
    EXPECT_THROW(left.recv<int>(), chorus::UsageError);
    EXPECT_THROW(left.recv_bytes(), chorus::UsageError);
    EXPECT_THROW(left.poll(), chorus::UsageError);
    EXPECT_THROW(left.fileno(), chorus::UsageError);
    EXPECT_THROW(right.send(left), chorus::Error) << "a closed end does not travel";
    EXPECT_THROW(right.recv<int>(), chorus::EndOfFile);
    EXPECT_THROW(right.send(1), chorus::BrokenPipe);
    EXPECT_TRUE(mp::Connection().closed());
}

TEST(PipeHere, one_way_only) {
    const auto [reader, writer] = mp::Pipe({.duplex = false});
    EXPECT_TRUE(reader.readable());
    EXPECT_FALSE(reader.writable());
    EXPECT_FALSE(writer.readable());
    EXPECT_TRUE(writer.writable());
    writer.send(5);
    EXPECT_EQ(reader.recv<int>(), 5);
    EXPECT_THROW(reader.send(1), chorus::UsageError);
    EXPECT_THROW(writer.recv<int>(), chorus::UsageError);
    EXPECT_THROW(writer.poll(), chorus::UsageError);
    EXPECT_GE(writer.fileno(), 0);
    EXPECT_THROW(mp::Pipe({.max_bytes = 1}), chorus::UsageError);
}

TEST(PipeHere, what_was_sent_comes_before_the_end) {
    auto [left, right] = mp::Pipe();
    left.send(1);
    left.send(pattern(mib / 2));
    left.close();
    EXPECT_TRUE(right.poll());
    EXPECT_EQ(right.recv<int>(), 1);
    EXPECT_TRUE(right.recv<std::string>() == pattern(mib / 2));
    EXPECT_TRUE(right.poll()) << "true at the end";
    EXPECT_TRUE(is_readable(right.fileno()));
    for (int i = 0; i < 2; ++i) EXPECT_THROW(right.recv<int>(), chorus::EndOfFile);
    EXPECT_THROW(right.recv<int>(chorus::now), chorus::EndOfFile);
}

// Also for a receiver that only polls now and then.
TEST(PipeHere, the_end_never_overtakes_the_last_message) {
    constexpr int pipes = 1000;
    std::atomic<int> closed{0};
    std::atomic<mp::Connection*> next{nullptr};
    std::thread sender([&] {
        for (int i = 0; i < pipes; ++i) {
            mp::Connection* end = nullptr;
            while ((end = next.exchange(nullptr)) == nullptr) std::this_thread::yield();
            end->send(1);
            end->close();
            ++closed;
        }
    });
    int all = 0;
    for (int i = 0; i < pipes; ++i) {
        auto [reader, writer] = mp::Pipe({.duplex = false});
        next = &writer;
        for (;;) {
            try {
                all += reader.recv<int>(chorus::now);
            } catch (const chorus::Empty&) {
            } catch (const chorus::EndOfFile&) {
                break;
            }
        }
        EXPECT_EQ(all, i + 1);
        all = i + 1;
        while (closed <= i) std::this_thread::yield();
    }
    sender.join();
}

TEST(PipeHere, a_blocked_receiver_and_a_blocked_sender_hear_of_the_end) {
    auto [left, right] = mp::Pipe();
    std::thread receiver([&right = right] { EXPECT_THROW(right.recv<int>(), chorus::EndOfFile); });
    left.close();
    receiver.join();
    auto [reader, writer] = mp::Pipe({.duplex = false});
    std::thread sender(
        [&writer = writer] { EXPECT_THROW(for (;;) writer.send(pattern(10'000)), chorus::BrokenPipe); });
    reader.recv<std::string>();
    reader.close();
    sender.join();
}

TEST(PipeHere, a_full_pipe_blocks) {
    const auto [left, right] = mp::Pipe({.max_bytes = 100'000});
    int sent = 0;
    EXPECT_THROW(for (;; ++sent) left.send(pattern(1000), chorus::now), chorus::Full);
    EXPECT_LE(sent, 100);
    EXPECT_GE(sent, 80);
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_THROW(left.send(pattern(1000), 30ms), chorus::Full);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 30ms);
    std::thread sender([&left = left] {
        for (int i = 0; i < 50; ++i) left.send(pattern(1000));
    });
    for (int i = 0; i < sent + 50; ++i) right.recv<std::string>();
    sender.join();
    EXPECT_FALSE(right.poll());
}

// ---- many at once ------------------------------------------------------------------------------

TEST(PipeHere, one_thread_sends_and_one_receives_on_the_same_end) {
    const auto [left, right] = mp::Pipe({.max_bytes = 10'000});
    std::thread other([&right = right] {
        for (int i = 0; i < 5000; ++i) right.send(right.recv<std::string>());
    });
    std::thread sender([&left = left] {
        for (unsigned i = 0; i < 5000; ++i) left.send(pattern(i % 500, i));
    });
    for (unsigned i = 0; i < 5000; ++i) ASSERT_TRUE(left.recv<std::string>() == pattern(i % 500, i));
    sender.join();
    other.join();
}

std::uint64_t sum_of_all(mp::Connection end) {
    std::uint64_t sum = 0;
    for (;;) {
        const auto number = end.recv<std::uint64_t>();
        if (number == 0) return sum;
        sum += number;
    }
}

TEST_P(Pipe, several_receive_on_one_end_and_several_send) {
    auto [reader, writer] = mp::Pipe({.duplex = false});
    std::vector<chorus::Future<std::uint64_t>> receivers;
    for (int i = 0; i < 3; ++i) receivers.push_back(mp::async(sum_of_all, reader));
    std::vector<std::thread> senders;
    for (int i = 0; i < 2; ++i) {
        senders.emplace_back([&writer = writer] {
            for (std::uint64_t n = 1; n <= 5000; ++n) writer.send(n);
        });
    }
    for (auto& sender : senders) sender.join();
    for (int i = 0; i < 3; ++i) writer.send(std::uint64_t{0});
    std::uint64_t sum = 0;
    for (auto& receiver : receivers) sum += receiver.get();
    EXPECT_EQ(sum, 2 * (5000ULL * 5001 / 2));
}

TEST_P(Pipe, epoll_hears_of_each_message_after_it_was_drained) {
    auto [here, there] = mp::Pipe();
    auto child = context().Process(
        +[](mp::Connection end) {
            while (end.recv<int>() >= 0) end.send(1);
        },
        there);
    child.start();
    const int set = ::epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{};
    event.events = EPOLLIN;
    ASSERT_EQ(::epoll_ctl(set, EPOLL_CTL_ADD, here.fileno(), &event), 0);
    for (int i = 0; i < 500; ++i) {
        here.send(i);
        do {
            ASSERT_EQ(::epoll_wait(set, &event, 1, 20'000), 1) << i;
        } while (!here.poll());
        here.recv<int>();
    }
    EXPECT_FALSE(here.poll());
    here.fileno();  // when the child has let go of what it last sent: until then the last ring may be left
    EXPECT_EQ(::epoll_wait(set, &event, 1, 0), 0);
    EXPECT_FALSE(is_readable(here.fileno()));
    here.send(-1);
    child.join();
    ::close(set);
}

TEST(PipeHere, descriptors_do_not_pile_up) {
    const std::size_t before = settled_descriptors();
    const auto [left, right] = mp::Pipe();
    for (int i = 0; i < 2000; ++i) {
        const auto [reader, writer] = mp::Pipe();
        left.send(reader);
        writer.send(i);
        ASSERT_EQ(right.recv<mp::Connection>().recv<int>(), i);
    }
    EXPECT_LE(open_descriptors(), before + 10);
}

// ---- deaths ------------------------------------------------------------------------------------

// The parent's handle must be gone too, and with fork the child has both ends.
void send_for_ever(mp::Connection reader, mp::Connection writer, mp::Queue<int> sent, std::size_t size) {
    reader.close();
    for (unsigned i = 0;; ++i) {
        writer.send(pattern(size, i));
        sent.put(1);
    }
}

TEST_P(Pipe, a_killed_sender_tears_nothing_and_what_it_had_sent_arrives) {
    for (const std::size_t size : {std::size_t{100}, std::size_t{50'000}, 5 * mib}) {
        for (const unsigned after : {1U, 7U, 20U}) {
            auto [reader, writer] = mp::Pipe({.duplex = false, .max_bytes = 200'000});
            mp::Queue<int> sent;
            auto child = context().Process(send_for_ever, reader, writer, sent, size);
            child.start();
            writer.close();
            unsigned got = 0;
            for (; got < after; ++got) ASSERT_TRUE(reader.recv<std::string>() == pattern(size, got));
            if (after == 7) wait_until_asleep(child.pid());  // blocked in send
            child.kill();
            try {
                for (;; ++got) ASSERT_TRUE(reader.recv<std::string>(30s) == pattern(size, got)) << got;
            } catch (const chorus::EndOfFile&) {
            }
            child.join();
            EXPECT_GE(got, sent.qsize()) << "what send had returned for was sent";
            EXPECT_LE(got, sent.qsize() + 1);
        }
    }
}

// The last receiver lives, but has closed its end; the only other process that still had it is killed.
TEST(PipeOf, an_end_handed_on_breaks_with_the_last_who_has_it) {
    auto [reader, writer] = mp::Pipe({.duplex = false});
    mp::Event received;
    mp::Process first(
        +[](mp::Connection from, mp::Event event) {
            from.recv<std::string>();
            from.close();
            event.set();
            for (;;) ::pause();
        },
        reader, received);
    mp::Process second(
        +[](mp::Connection) {
            for (;;) ::pause();
        },
        reader);
    first.start();
    second.start();
    reader.close();
    writer.send("first");
    received.wait();
    writer.send("somebody is there still");
    second.kill();
    second.join();
    EXPECT_THROW(writer.send("nobody"), chorus::BrokenPipe);
    first.kill();
    first.join();
}

TEST_P(Pipe, a_killed_receiver_breaks_the_pipe) {
    for (const bool blocked : {false, true}) {
        auto [reader, writer] = mp::Pipe({.duplex = false, .max_bytes = 100'000});
        mp::Event received;
        auto child = context().Process(
            +[](mp::Connection from, mp::Connection other, mp::Event event) {
                other.close();
                from.recv<std::string>();
                event.set();
                for (;;) ::pause();
            },
            reader, writer, received);
        child.start();
        reader.close();
        writer.send("first");
        received.wait();
        std::thread killer;
        if (blocked) {
            EXPECT_THROW(for (;;) writer.send(pattern(1000), chorus::now), chorus::Full);
            killer = std::thread([&] { child.kill(); });
            EXPECT_THROW(writer.send(pattern(1000)), chorus::BrokenPipe);
            killer.join();
        } else {
            child.kill();
        }
        child.join();
        EXPECT_THROW(writer.send("after"), chorus::BrokenPipe);
        EXPECT_THROW(writer.send("after", chorus::now), chorus::BrokenPipe);
    }
}

}  // namespace
