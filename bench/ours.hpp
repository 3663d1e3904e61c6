// Chorus' queues and pipes as transports: what a user writes, with default settings.
#pragma once

#include <chorus/chorus.hpp>

#include "transport.hpp"

namespace bench {

namespace mp = chorus::multiprocessing;

/// As many items as the rivals have room for.
inline std::size_t capacity(std::size_t bytes) {
    return std::clamp<std::size_t>((4U << 20) / bytes, 4, 1024);
}

class NumberQueue : public Transport {
public:
    NumberQueue(std::size_t bytes, int) : queue_(capacity(bytes)) {}
    void send(std::uint64_t value) { queue_.put(value); }
    std::uint64_t receive() { return queue_.get(); }

private:
    mp::Queue<std::uint64_t> queue_;
};

class BatchedQueue : public Transport {
public:
    static constexpr std::size_t batch = 64;
    BatchedQueue(std::size_t bytes, int) : queue_(capacity(bytes)) {}
    void send(std::uint64_t value) {
        out_.push_back(value);
        if (out_.size() == batch) flush();
    }
    void flush() {
        queue_.put_many(out_);
        out_.clear();
    }
    std::uint64_t receive() {
        if (next_ == in_.size()) {
            in_ = queue_.get_many(batch);
            next_ = 0;
        }
        return in_[next_++];
    }

private:
    mp::Queue<std::uint64_t> queue_;
    std::vector<std::uint64_t> out_;
    std::vector<std::uint64_t> in_;
    std::size_t next_ = 0;
};

class BytesQueue : public Transport {
public:
    BytesQueue(std::size_t bytes, int) : queue_(capacity(bytes)), out_(bytes, std::byte{'a'}) {}
    void send(std::uint64_t value) {
        stamp(out_, value);
        queue_.put(out_);
    }
    std::uint64_t receive() {
        const auto in = queue_.get();
        return in.size() == out_.size() ? read_stamp(in) : 0;
    }

private:
    mp::Queue<std::vector<std::byte>> queue_;
    std::vector<std::byte> out_;
};

/// Written and read in place, in memory that has been used before; of what is read, both ends are looked at.
class LendingQueue : public Transport {
public:
    LendingQueue(std::size_t bytes, int) : queue_(4), bytes_(bytes) {
        std::vector<mp::Loan> all;
        for (int i = 0; i < 7; ++i)
            all.push_back(queue_.loan(bytes));  // four in the queue, one at each end, and one more
    }
    void send(std::uint64_t value) {
        auto loan = queue_.loan(bytes_);
        stamp(loan.span(), value);
        queue_.put(std::move(loan));
    }
    std::uint64_t receive() { return read_stamp(queue_.borrow().span()); }

private:
    mp::Queue<std::vector<std::byte>> queue_;
    std::size_t bytes_;
};

class BytesPipe : public Transport {
public:
    BytesPipe(std::size_t bytes, int)
        : ends_(mp::Pipe({.duplex = false})), out_(bytes, std::byte{'a'}), in_(bytes) {}
    void send(std::uint64_t value) {
        stamp(out_, value);
        ends_.second.send_bytes(out_);
    }
    std::uint64_t receive() { return ends_.first.recv_bytes_into(in_) == in_.size() ? read_stamp(in_) : 0; }

private:
    decltype(mp::Pipe()) ends_;
    std::vector<std::byte> out_;
    std::vector<std::byte> in_;
};

}  // namespace bench
