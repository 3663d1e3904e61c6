// How fast messages go from process to process, and whether they arrive whole.
//
// A transport is a class with
//     T(std::size_t bytes, int ends)             made before the fork, for messages of one size
//     void open_sender(int), open_receiver(int)  in the child
//     void send(std::uint64_t stamp)             a whole message, which carries the stamp at both of its ends
//     std::uint64_t receive()                    0 if the ends differ
//     void flush()                               what was held back is sent
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "children.hpp"
#include "rows.hpp"

namespace bench {

inline void stamp(std::span<std::byte> message, std::uint64_t value) {
    std::memcpy(message.data(), &value, sizeof value);
    std::memcpy(message.data() + message.size() - sizeof value, &value, sizeof value);
}
inline std::uint64_t read_stamp(std::span<const std::byte> message) {
    std::uint64_t head = 0;
    std::uint64_t tail = 0;
    std::memcpy(&head, message.data(), sizeof head);
    std::memcpy(&tail, message.data() + message.size() - sizeof tail, sizeof tail);
    return head == tail ? head : 0;
}

/// What most transports do not need.
struct Transport {
    void open_sender(int) {}
    void open_receiver(int) {}
    void flush() {}
};

struct Race {
    explicit Race(unsigned ends) : receivers_are_there(2 * ends), start(2 * ends) {}
    StartingLine receivers_are_there;
    StartingLine start;
    struct alignas(64) End {
        std::atomic<std::uint64_t> messages{0};
        std::atomic<double> at{0};
    };
    End senders[2];
    End receivers[2];
    std::atomic<bool> damaged{false};
};

inline double seconds_now() { return std::chrono::duration<double>(Clock::now().time_since_epoch()).count(); }

template <class T>
void send_for(T& transport, Race& race, int id, double seconds, std::size_t bytes) {
    race.receivers_are_there.wait();
    transport.open_sender(id);
    race.start.wait();
    const double begin = seconds_now();
    race.senders[id].at = begin;
    const int between_looks = bytes <= 4096 ? 64 : 1;
    std::uint64_t number = 0;
    do {
        for (int i = 0; i < between_looks; ++i) transport.send(std::uint64_t(id) << 56 | ++number);
    } while (seconds_now() - begin < seconds);
    transport.flush();
    race.senders[id].messages = number;
    ::pause();  // ZeroMQ may lose messages in flight at a close
}

template <class T>
void receive_for_ever(T& transport, Race& race, int id, int ends) {
    transport.open_receiver(id);
    race.receivers_are_there.wait();
    race.start.wait();
    std::uint64_t last[2] = {0, 0};
    for (std::uint64_t count = 1;; ++count) {
        const std::uint64_t value = transport.receive();
        const std::uint64_t from = value >> 56;
        const std::uint64_t number = value & (~std::uint64_t{0} >> 8);
        if (from >= std::uint64_t(ends) || (ends == 1 ? number != last[from] + 1 : number <= last[from])) {
            race.damaged = true;
            ::pause();
        }
        last[from] = number;
        race.receivers[id].messages.store(count, std::memory_order_release);
    }
}

/// Nanoseconds a message, with that many senders and receivers, each pair of them on two CPUs. 0: damaged or
/// stuck.
template <class T>
double nanoseconds_a_message(std::size_t bytes, int ends, double seconds) {
    auto& race = shared<Race>(unsigned(ends));
    T transport(bytes, ends);
    double elapsed = 0;
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    {
        Children children;
        for (int id = 0; id < ends; ++id) {
            // One pair is pinned, so that it is measured on two CPUs each time; more place themselves.
            children.start(ends == 1 ? 1 : any_cpu, [&, id] { receive_for_ever(transport, race, id, ends); });
            children.start(ends == 1 ? 0 : any_cpu,
                           [&, id] { send_for(transport, race, id, seconds, bytes); });
        }
        const double limit = seconds_now() + 20;
        bool all_sent = false;
        do {
            ::usleep(50);
            received = sent = 0;
            all_sent = true;
            for (int id = 0; id < ends; ++id) {
                const std::uint64_t count = race.senders[id].messages;
                all_sent = all_sent && count != 0;
                sent += count;
                received += race.receivers[id].messages.load(std::memory_order_acquire);
            }
        } while ((!all_sent || received < sent) && !race.damaged && seconds_now() < limit);
        double begin = race.senders[0].at;
        for (int id = 1; id < ends; ++id) begin = std::min(begin, race.senders[id].at.load());
        elapsed = seconds_now() - begin;
    }
    const bool good = !race.damaged && received == sent && sent != 0;
    if (!good)
        std::fprintf(stderr, "%zu bytes, %d ends: sent %lu, received %lu%s\n", bytes, ends, sent, received,
                     race.damaged ? ", damaged" : "");
    ::munmap(&race, sizeof race);
    return good ? elapsed * 1e9 / double(received) : 0;
}

/// The median nanoseconds there and back of 8 bytes, between these CPUs. `before_each` runs before each,
/// untimed.
template <class T, class Before>
double round_trip(int cpu_of_asker, int cpu_of_echo, double seconds, Before before_each) {
    constexpr int most = 400'000;
    struct Times {
        int count = 0;
        float nanoseconds[most];
    };
    auto& times = shared<Times>();
    T there(8, 1);
    T back(8, 1);
    bool good = false;
    {
        Children children;
        const auto echo = children.start(cpu_of_echo, [&] {
            there.open_receiver(0);
            back.open_sender(0);
            for (;;) back.send(there.receive());
        });
        const auto asker = children.start(cpu_of_asker, [&] {
            there.open_sender(0);
            back.open_receiver(0);
            const double end = seconds_now() + seconds;
            for (std::uint64_t number = 1; seconds_now() < end && times.count < most; ++number) {
                before_each(children.pid(echo));
                const auto begin = Clock::now();
                there.send(number);
                const std::uint64_t answer = back.receive();
                const auto now = Clock::now();
                if (answer != number) ::_exit(1);
                if (number > 100)
                    times.nanoseconds[times.count++] =
                        std::chrono::duration<float, std::nano>(now - begin).count();
            }
        });
        good = children.join(asker);
    }
    std::vector<double> values(times.nanoseconds, times.nanoseconds + (good ? times.count : 0));
    ::munmap(&times, sizeof times);
    return median(std::move(values));
}

inline std::string readable(std::size_t bytes) {
    if (bytes >= 1U << 20) return std::to_string(bytes >> 20) + " MiB";
    if (bytes >= 1U << 10) return std::to_string(bytes >> 10) + " KiB";
    return std::to_string(bytes) + " B";
}

}  // namespace bench
