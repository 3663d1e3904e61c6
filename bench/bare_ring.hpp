// The limit that a queue is held against: a ring in shared memory for one sender and one receiver, with
// nothing in it that a queue needs for more of them, for their deaths or for items of any size.
#pragma once

#include <cstring>

#include <linux/futex.h>
#include <sys/syscall.h>

#include "rivals.hpp"

namespace bench {

using Word = std::atomic<std::uint32_t>;

inline void futex_wait(Word& word, std::uint32_t value) {
    ::syscall(SYS_futex, &word, FUTEX_WAIT, value, nullptr, nullptr, 0);
}
inline void futex_wake(Word& word) { ::syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0); }

enum class Waits { spinning, asleep, politely };

/// Messages longer than a slot travel in several.
template <Waits how>
class BareRing : public Transport, Buffers {
public:
    BareRing(std::size_t bytes, int)
        : Buffers(bytes),
          slot_(std::min(bytes, longest_slot)),
          stride_((slot_ + 15) / 16 * 16),
          slots_(std::uint32_t(std::clamp<std::size_t>((1U << 20) / stride_, 4, 1024))),
          size_(sizeof(Shared) + stride_ * slots_),
          state_(*new(shared_memory(size_)) Shared),
          data_(reinterpret_cast<std::byte*>(&state_ + 1)) {}
    ~BareRing() { ::munmap(&state_, size_); }
    void open_sender(int) { look_at_all(); }
    void open_receiver(int) { look_at_all(); }

    void send(std::uint64_t value) {
        stamp(out, value);
        for (std::size_t at = 0; at < out.size(); at += slot_) {
            while (mine_ - other_ == slots_) other_ = wait(state_.head, state_.sender_asleep, mine_ - slots_);
            std::memcpy(data_ + std::size_t{mine_ % slots_} * stride_, out.data() + at,
                        std::min(slot_, out.size() - at));
            tell(state_.tail, state_.receiver_asleep, ++mine_);
        }
    }
    std::uint64_t receive() {
        for (std::size_t at = 0; at < in.size(); at += slot_) {
            if (mine_ == other_) other_ = wait(state_.tail, state_.receiver_asleep, mine_);
            std::memcpy(in.data() + at, data_ + std::size_t{mine_ % slots_} * stride_,
                        std::min(slot_, in.size() - at));
            tell(state_.head, state_.sender_asleep, ++mine_);
        }
        return read_stamp(in);
    }

private:
    static constexpr std::size_t longest_slot = 128 << 10;
    struct Shared {
        alignas(64) Word tail{0};
        Word receiver_asleep{0};
        alignas(64) Word head{0};
        Word sender_asleep{0};
    };
    void look_at_all() { ::madvise(&state_, size_, MADV_POPULATE_WRITE); }

    static std::uint32_t wait(Word& word, Word& asleep, std::uint32_t seen) {
        std::uint32_t now = seen;
        const auto changed = [&] { return (now = word.load(std::memory_order_acquire)) != seen; };
        if constexpr (how != Waits::asleep) {
            for (int i = 0; how == Waits::spinning || i < 40; ++i) {
                if (changed()) return now;
                __builtin_ia32_pause();
            }
            for (int i = 0; i < 12; ++i) {
                if (changed()) return now;
                ::sched_yield();
            }
        }
        for (;;) {
            if (changed()) return now;
            asleep = 1;
            if (word.load() != seen) {
                asleep.store(0, std::memory_order_relaxed);
                continue;
            }
            futex_wait(asleep, 1);
        }
    }
    static void tell(Word& word, Word& asleep, std::uint32_t value) {
        if constexpr (how == Waits::spinning) {
            word.store(value, std::memory_order_release);
        } else {
            word = value;
            if (asleep != 0 && asleep.exchange(0) != 0) futex_wake(asleep);
        }
    }

    std::size_t slot_;
    std::size_t stride_;
    std::uint32_t slots_;
    std::size_t size_;
    Shared& state_;
    std::byte* data_;
    std::uint32_t mine_ = 0;   // of the sender in its process, of the receiver in the other
    std::uint32_t other_ = 0;  // as last seen
};

}  // namespace bench
