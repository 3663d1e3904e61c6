// The waiters of a condition, in the order of their coming, each to be notified by a word of its own.
//
// Everything but going to sleep happens under the condition's lock. Threads stand in a list. Processes
// write into their own participants what they wait for, which is one store and needs no repair when one
// is killed; a caller that looks for them reads all participants.
#pragma once

#include "memory/damage.hpp"
#include "sync/waiting.hpp"

namespace chorus::inline v0::detail::sync {

/// What a waiter's word holds. All of them leave the kernel's 30 bits free, so that it wakes the waiter
/// if the notifier is killed in between.
enum Signal : std::uint32_t { none = 0, notified = 1U << 30, waiting = 1U << 31 };

/// A thread that waits, in the list of its condition.
struct WaitingThread {
    Word signal{waiting};
    WaitingThread* next = nullptr;
    WaitingThread* previous = nullptr;
};

/// Layout: as below. Writers: the owner of the condition's lock.
struct WaitList {
    memory::Fixed<Sharing> sharing{Sharing::threads};
    std::uint64_t name = 0;          ///< of processes: what their lives say they wait for; never 0
    std::uint32_t next_ticket = 0;   ///< of processes
    Word waiters{0};                 ///< of processes: too high when some have died
    WaitingThread* first = nullptr;  ///< of threads
    WaitingThread* last = nullptr;

    /// Notifies the first `most` waiters that live.
    void notify(std::uint32_t most);
    std::uint32_t count() const noexcept;
};

/// For a participant that takes the place of another: if the one before was notified and died before it
/// acted on it, the next in line is notified instead. Then that place waits for nothing.
void hand_on_what_was_told(Participant& life, Word& signal);

/// The calling thread's place in a list, from the moment when it holds the lock to wait.
class Waiter {
public:
    explicit Waiter(WaitList& list);
    ~Waiter();
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

    /// Without the lock. Returns false if the deadline passes before it is notified.
    bool sleep(Deadline deadline);

private:
    bool told() const noexcept { return signal_.load() != waiting; }
    void sleep_among_processes(Deadline deadline);

    WaitList& list_;
    const Sharing sharing_;
    WaitingThread thread_;
    Word& signal_;
};

}  // namespace chorus::inline v0::detail::sync
