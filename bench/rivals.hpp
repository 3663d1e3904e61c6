// What others have for messages between processes, each with its default settings and room for a few MiB.
#pragma once

#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>
#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>

#include "transport.hpp"

namespace bench {

/// A message to send, and one to receive into.
class Buffers {
public:
    explicit Buffers(std::size_t bytes) : out(bytes, std::byte{'a'}), in(bytes) {}
    std::vector<std::byte> out;
    std::vector<std::byte> in;
};

inline std::string fresh_name() {
    static int number = 0;
    return "chorus-bench-" + std::to_string(::getpid()) + "-" + std::to_string(number++);
}

class BoostQueue : public Transport, Buffers {
public:
    BoostQueue(std::size_t bytes, int) : Buffers(bytes) {
        const std::string name = fresh_name();
        queue_.emplace(boost::interprocess::create_only, name.c_str(),
                       std::clamp<std::size_t>((4U << 20) / bytes, 4, 1024), bytes);
        boost::interprocess::shared_memory_object::remove(name.c_str());
    }
    void send(std::uint64_t value) {
        stamp(out, value);
        queue_->send(out.data(), out.size(), 0);
    }
    std::uint64_t receive() {
        std::size_t size = 0;
        unsigned priority = 0;
        queue_->receive(in.data(), in.size(), size, priority);
        return size == in.size() ? read_stamp(in) : 0;
    }

private:
    std::optional<boost::interprocess::message_queue> queue_;
};

/// As deep as a user without privileges gets it.
class PosixQueue : public Transport, Buffers {
public:
    static constexpr std::size_t longest = 8192;
    PosixQueue(std::size_t bytes, int) : Buffers(bytes) {
        const std::string name = "/" + fresh_name();
        mq_attr attributes{};
        attributes.mq_maxmsg = 10;
        attributes.mq_msgsize = long(bytes);
        queue_ = ::mq_open(name.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600, &attributes);
        if (queue_ < 0) fail("mq_open");
        ::mq_unlink(name.c_str());
    }
    ~PosixQueue() { ::mq_close(queue_); }
    void send(std::uint64_t value) {
        stamp(out, value);
        if (::mq_send(queue_, reinterpret_cast<const char*>(out.data()), out.size(), 0) != 0) fail("mq_send");
    }
    std::uint64_t receive() {
        if (::mq_receive(queue_, reinterpret_cast<char*>(in.data()), in.size(), nullptr) !=
            ssize_t(in.size()))
            fail("mq_receive");
        return read_stamp(in);
    }

private:
    mqd_t queue_ = -1;
};

/// With several at an end, each end has a lock, as in Python's SimpleQueue.
template <bool is_socket>
class Stream : public Transport, Buffers {
public:
    Stream(std::size_t bytes, int ends) : Buffers(bytes), locked_(ends > 1), locks_(shared<Locks>()) {
        int both[2];
        if ((is_socket ? ::socketpair(AF_UNIX, SOCK_STREAM, 0, both) : ::pipe(both)) != 0) fail("pipe");
        reading_ = both[0];
        writing_ = both[1];
    }
    ~Stream() {
        ::close(reading_);
        ::close(writing_);
    }
    void send(std::uint64_t value) {
        stamp(out, value);
        if (locked_) ::pthread_mutex_lock(&locks_.sending);
        for (std::span<const std::byte> left(out); !left.empty();) {
            const ssize_t written = ::write(writing_, left.data(), left.size());
            if (written <= 0) fail("write");
            left = left.subspan(std::size_t(written));
        }
        if (locked_) ::pthread_mutex_unlock(&locks_.sending);
    }
    std::uint64_t receive() {
        if (locked_) ::pthread_mutex_lock(&locks_.receiving);
        for (std::span<std::byte> left(in); !left.empty();) {
            const ssize_t read = ::read(reading_, left.data(), left.size());
            if (read <= 0) fail("read");
            left = left.subspan(std::size_t(read));
        }
        if (locked_) ::pthread_mutex_unlock(&locks_.receiving);
        return read_stamp(in);
    }

private:
    struct Locks {
        Locks() {
            pthread_mutexattr_t attributes;
            ::pthread_mutexattr_init(&attributes);
            ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
            ::pthread_mutex_init(&sending, &attributes);
            ::pthread_mutex_init(&receiving, &attributes);
            ::pthread_mutexattr_destroy(&attributes);
        }
        pthread_mutex_t sending;
        pthread_mutex_t receiving;
    };
    bool locked_;
    Locks& locks_;
    int reading_ = -1;
    int writing_ = -1;
};
using SystemPipe = Stream<false>;
using SocketPair = Stream<true>;

/// PUSH and PULL; each sender is connected to each receiver.
class ZeroMq : public Transport, Buffers {
public:
    ZeroMq(std::size_t bytes, int ends)
        : Buffers(bytes),
          ends_(ends),
          most_(int(std::clamp<std::size_t>((16U << 20) / bytes, 2, 1000))),
          base_(std::filesystem::temp_directory_path().string() + "/" + fresh_name() + "-") {}
    ~ZeroMq() {
        for (int id = 0; id < ends_; ++id) ::unlink((base_ + std::to_string(id)).c_str());
    }
    void open_sender(int) {
        sending_ = socket(ZMQ_PUSH);
        for (int id = 0; id < ends_; ++id) zmq_connect(sending_, address(id).c_str());
    }
    void open_receiver(int id) {
        receiving_ = socket(ZMQ_PULL);
        if (zmq_bind(receiving_, address(id).c_str()) != 0) fail("zmq_bind");
    }
    void send(std::uint64_t value) {
        stamp(out, value);
        if (zmq_send(sending_, out.data(), out.size(), 0) != int(out.size())) fail("zmq_send");
    }
    std::uint64_t receive() {
        if (zmq_recv(receiving_, in.data(), in.size(), 0) != int(in.size())) fail("zmq_recv");
        return read_stamp(in);
    }

private:
    std::string address(int id) const { return "ipc://" + base_ + std::to_string(id); }
    void* socket(int type) {
        if (context_ == nullptr) context_ = zmq_ctx_new();
        void* const made = zmq_socket(context_, type);
        zmq_setsockopt(made, ZMQ_SNDHWM, &most_, sizeof most_);
        zmq_setsockopt(made, ZMQ_RCVHWM, &most_, sizeof most_);
        return made;
    }
    int ends_;
    int most_;
    std::string base_;
    void* context_ = nullptr;
    void* sending_ = nullptr;
    void* receiving_ = nullptr;
};

}  // namespace bench
