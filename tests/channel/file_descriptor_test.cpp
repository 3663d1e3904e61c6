// FileDescriptor: open files, sockets and pipes of the program's own, given to other processes.
#include <array>
#include <fstream>
#include <map>
#include <optional>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <channel/channel_support.hpp>
#include <support/message_of.hpp>

using chorus::FileDescriptor;
using testing::HasSubstr;

namespace {

class Descriptor : public EachStartMethod {};
FOR_EACH_START_METHOD(Descriptor);

struct OwnPipe {
    FileDescriptor reader;
    FileDescriptor writer;
};

OwnPipe own_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    return {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

void say(const FileDescriptor& to, const std::string& text) {
    if (::write(to.fileno(), text.data(), text.size()) < 0) std::abort();
}

std::string heard(const FileDescriptor& from, std::size_t most = 100) {
    std::string text(most, '\0');
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, ::read(from.fileno(), text.data(), most))));
    return text;
}

bool is_open(int descriptor) { return ::fcntl(descriptor, F_GETFD) >= 0; }

// What Chorus keeps for the life of a process is there after the first time.
template <class Function>
void expect_no_descriptor_left(Function use) {
    use();
    const std::size_t before = settled_descriptors();
    use();
    EXPECT_EQ(settled_descriptors(), before);
}

// Each accepted connection is told which process accepted it.
void serve(FileDescriptor listener, mp::Semaphore served) {
    const FileDescriptor client(::accept(listener.fileno(), nullptr, nullptr));
    say(client, std::to_string(::getpid()));
    served.acquire();
}

TEST_P(Descriptor, a_listening_socket_is_shared_by_workers) {
    FileDescriptor listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    ASSERT_EQ(::bind(listener.fileno(), any, size), 0);
    ASSERT_EQ(::listen(listener.fileno(), 10), 0);
    ASSERT_EQ(::getsockname(listener.fileno(), any, &size), 0);

    mp::Semaphore served(0);
    std::vector<mp::Process> workers;
    std::set<std::string> pids;
    for (int i = 0; i < 3; ++i) {
        workers.push_back(context().Process(serve, listener, served));
        workers.back().start();
        pids.insert(std::to_string(workers.back().pid()));
    }
    listener.close();
    std::set<std::string> seen;
    for (int i = 0; i < 3; ++i) {
        const FileDescriptor client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        ASSERT_EQ(::connect(client.fileno(), any, sizeof address), 0);
        seen.insert(heard(client));
    }
    EXPECT_EQ(seen, pids);
    served.release(3);
    for (auto& worker : workers) {
        worker.join();
        EXPECT_EQ(worker.exitcode(), 0);
    }
    const FileDescriptor late(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_NE(::connect(late.fileno(), any, sizeof address), 0) << "with its last owner it is closed";
}

// What is asked of it comes in its item; the answer goes into the item's own descriptor.
void answer_each(mp::Queue<std::pair<int, FileDescriptor>> questions, mp::Connection more) {
    for (;;) {
        const auto [number, to] = questions.get();
        if (to.closed()) return;
        say(to, std::to_string(number * number));
        more.send(std::vector{to, to});
    }
}

TEST_P(Descriptor, goes_through_queues_and_pipes_to_a_process_that_runs) {
    mp::Queue<std::pair<int, FileDescriptor>> questions;
    auto [here, there] = mp::Pipe();
    auto worker = context().Process(
        [](mp::Queue<std::pair<int, FileDescriptor>> q, mp::Connection m) {
            try {
                answer_each(q, m);
            } catch (const chorus::ShutDown&) {
            }
        },
        questions, there);
    worker.start();
    for (int i = 0; i < 20; ++i) {
        auto [reader, writer] = own_pipe();
        questions.put({i, writer});
        EXPECT_EQ(heard(reader), std::to_string(i * i));
        const auto back = here.recv<std::vector<FileDescriptor>>();
        ASSERT_EQ(back.size(), 2U);
        EXPECT_EQ(back[0], back[1]);
        EXPECT_EQ(back[0], writer) << "what comes home is what it was";
    }
    EXPECT_THAT(message_of<chorus::UsageError>([&] {
                    questions.put({1, FileDescriptor()});
                }),
                HasSubstr("closed FileDescriptor"));
    questions.shutdown();
    worker.join();
    EXPECT_EQ(worker.exitcode(), 0);
}

TEST_P(Descriptor, goes_to_tasks_and_comes_from_them) {
    expect_no_descriptor_left([] {
        mp::Pool pool(2);
        auto [reader, writer] = own_pipe();
        std::vector<chorus::Future<void>> said;
        for (int i = 0; i < 10; ++i)
            said.push_back(pool.submit([](FileDescriptor to) { say(to, "x"); }, writer));
        for (const auto& each : said) each.get(20s);
        EXPECT_EQ(heard(reader), "xxxxxxxxxx");

        // Made in the worker: another file each time, and closed there when it has gone.
        std::vector<FileDescriptor> made;
        for (int i = 0; i < 10; ++i) {
            made.push_back(pool.apply(
                [](int number) {
                    auto [from, to] = own_pipe();
                    say(to, std::to_string(number));
                    return from;
                },
                i));
        }
        for (int i = 0; i < 10; ++i) {
            EXPECT_EQ(heard(made[static_cast<std::size_t>(i)]), std::to_string(i));
            EXPECT_EQ(heard(made[static_cast<std::size_t>(i)]), "") << "the worker has closed the other end";
        }
    });
}

TEST_P(Descriptor, is_no_result_of_run) {
    EXPECT_THAT(message_of<chorus::Error>([] { mp::run([] { return own_pipe().reader; }); }),
                HasSubstr("carries no descriptors"));
}

TEST(DescriptorHere, is_closed_with_its_last_handle) {
    auto [reader, writer] = own_pipe();
    const int number = writer.fileno();
    FileDescriptor copy = writer;
    EXPECT_EQ(copy, writer);
    writer.close();
    writer.close();
    EXPECT_TRUE(writer.closed());
    EXPECT_TRUE(is_open(number));
    EXPECT_NE(copy, writer);
    copy = FileDescriptor();
    EXPECT_FALSE(is_open(number));
    EXPECT_THAT(message_of<chorus::UsageError>([&w = writer] { w.fileno(); }), HasSubstr("is closed"));
    std::ostringstream text;
    text << reader << copy;
    EXPECT_EQ(text.str(), "<FileDescriptor " + std::to_string(reader.fileno()) + "><FileDescriptor closed>");
}

TEST(DescriptorHere, leaves_what_it_duplicates_to_its_owner) {
    auto [reader, writer] = own_pipe();
    const int number = reader.fileno();
    {
        const auto other = FileDescriptor::duplicate(number);
        EXPECT_NE(other.fileno(), number);
        say(writer, "both");
        EXPECT_EQ(heard(other), "both");
    }
    EXPECT_TRUE(is_open(number));
    EXPECT_THROW(FileDescriptor::duplicate(1 << 20), chorus::OsError);
    EXPECT_THAT(message_of<chorus::UsageError>([] { FileDescriptor(::open("/nowhere", O_RDONLY)); }),
                HasSubstr("the call that was to open it failed"));
}

TEST(DescriptorHere, waits_in_a_queue_when_its_sender_has_gone) {
    expect_no_descriptor_left([] {
        auto [reader, writer] = own_pipe();
        mp::Queue<FileDescriptor> queue;
        auto sender =
            mp::Process([](mp::Queue<FileDescriptor> q, FileDescriptor w) { q.put(w); }, queue, writer);
        sender.start();
        sender.join();
        writer.close();
        {
            const auto arrived = queue.get();
            say(arrived, "still there");
            EXPECT_EQ(heard(reader), "still there");
        }
        EXPECT_EQ(heard(reader), "") << "nobody has it any more";
        auto [other, sent] = own_pipe();
        queue.put(sent);
        sent.close();
        queue = mp::Queue<FileDescriptor>();
        EXPECT_EQ(heard(other), "") << "closed with the queue that it was in";
    });
}

TEST(DescriptorHere, is_known_in_a_copy_of_the_process) {
    auto [reader, writer] = own_pipe();
    mp::Queue<FileDescriptor> queue;
    const pid_t copy = ::fork();
    if (copy == 0) {
        const auto arrived = queue.get();
        say(arrived, arrived == writer ? "same" : "other");
        ::_exit(0);
    }
    queue.put(writer);
    EXPECT_EQ(heard(reader), "same");
    ::waitpid(copy, nullptr, 0);
}

TEST(DescriptorHere, a_damaged_message_is_no_descriptor) {
    auto [reader, writer] = own_pipe();
    chorus::detail::message::Writer out;
    chorus::detail::message::encode(out, writer);
    auto bytes = out.take();
    bytes[0] ^= std::byte{1};  // a name that no process knows
    chorus::detail::message::Attachments none;
    chorus::detail::message::Reader in(bytes, &none);
    EXPECT_THROW(chorus::detail::message::decode<FileDescriptor>(in), chorus::DecodeError);
}

}  // namespace
