// Barrier: all go on together, once the last has come.
//
// Semantics: Python's threading.Barrier for both kinds. Handles are light values whose copies are the same
// barrier.
//
// Threads: every call may come from any thread of any process that has a handle.
// Death: if a party is killed while it waits, or in the action, the barrier breaks: all who wait, or come
//        later, are told by BrokenBarrierError who it was, until reset(). One that dies before it comes is
//        just late.
//        One that was written over by a process that shares it says Damaged, in any call.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <type_traits>

#include <chorus/deadline.hpp>
#include <chorus/detail/sync/home.hpp>
#include <chorus/serialize.hpp>

namespace chorus::sync {
struct BarrierState;
}

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus {

namespace sync {

/// What barriers of threads and of processes have in common.
class BasicBarrier {
public:
    /// Returns this party's number, 0 for the first to come, when all have come. The last one runs the action
    /// before anybody goes on; what it throws breaks the barrier and is thrown to it.
    /// Throws: BrokenBarrierError if the barrier is broken, or breaks, or is reset while waiting; a party
    /// whose deadline passes breaks it for all. Without a deadline the barrier's own limit counts.
    int wait();
    /// Waits until all parties are here. Returns 0 for the first to come and parties() − 1 for the last.
    /// Throws: BrokenBarrierError when it is or gets broken, also by this deadline; what the action throws,
    /// for who has run it.
    int wait(Deadline deadline);
    /// Makes it as new; who waits gets BrokenBarrierError.
    void reset();
    /// Breaks it.
    void abort();
    /// How many it waits for.
    int parties() const noexcept;
    /// How many are waiting now.
    int n_waiting() const noexcept;
    /// Whether it is broken, until reset().
    bool broken() const noexcept;

    /// As Python writes it.
    friend std::ostream& operator<<(std::ostream& out, const BasicBarrier& barrier);

    const std::shared_ptr<BarrierState>& state() const noexcept { return state_; }
    /// That of each wait() which is not given its own.
    std::optional<std::chrono::nanoseconds> timeout() const noexcept { return timeout_; }

protected:
    BasicBarrier(Home home, int parties, std::function<void()> run_by_last,
                 std::optional<std::chrono::nanoseconds> timeout);
    BasicBarrier(std::shared_ptr<BarrierState> state, std::function<void()> run_by_last,
                 std::optional<std::chrono::nanoseconds> timeout)
        : state_(std::move(state)), run_by_last_(std::move(run_by_last)), timeout_(timeout) {}
    BasicBarrier(const BasicBarrier&) = default;
    BasicBarrier& operator=(const BasicBarrier&) = default;
    ~BasicBarrier() = default;

private:
    int run_action_and_open(std::uint32_t generation, std::uint32_t index);
    int wait_for_others(std::uint32_t generation, std::uint32_t index, Deadline deadline);

    std::shared_ptr<BarrierState> state_;
    std::function<void()> run_by_last_;
    std::optional<std::chrono::nanoseconds> timeout_;
};
std::ostream& operator<<(std::ostream& out, const BasicBarrier& barrier);

void write_barrier(message::Writer& out, const BasicBarrier& barrier);
std::shared_ptr<BarrierState> read_barrier(message::Reader& in);

/// Lets its parties go on when all have come, again and again.
/// Between processes the action must be found in each of them: a function, or a lambda without captures.
/// Throws (constructor): UsageError unless there are 1 to 32,767 parties; OsError when there is no memory to
/// share.
template <Home home>
class Barrier : public BasicBarrier {
public:
    /// What the last to come runs: of processes a function or a lambda without captures, of threads anything.
    using Action = std::conditional_t<home == Home::process, void (*)(), std::function<void()>>;

    /// `parties` 1 to 32,767; `timeout` for each wait() that is not given its own.
    explicit Barrier(int parties, Action run_by_last = nullptr,
                     std::optional<std::chrono::nanoseconds> timeout = std::nullopt)
        : BasicBarrier(home, parties,
                       run_by_last == nullptr ? std::function<void()>() : std::function<void()>(run_by_last),
                       timeout),
          action_(run_by_last) {}
    /// Made by the library.
    Barrier(std::shared_ptr<BarrierState> state, Action run_by_last,
            std::optional<std::chrono::nanoseconds> timeout)
        : BasicBarrier(std::move(state),
                       run_by_last == nullptr ? std::function<void()>() : std::function<void()>(run_by_last),
                       timeout),
          action_(run_by_last) {}

    /// What the last to come runs.
    const Action& action() const noexcept { return action_; }

private:
    Action action_;
};

}  // namespace sync

template <>
struct codec<sync::Barrier<sync::Home::process>> {
    using Barrier = sync::Barrier<sync::Home::process>;
    static void write(message::Writer& out, const Barrier& barrier) {
        sync::write_barrier(out, barrier);
        out.write_raw(barrier.action() != nullptr);
        if (barrier.action() != nullptr) message::encode(out, barrier.action());
        out.write_raw(barrier.timeout().has_value());
        out.write_raw(barrier.timeout().value_or(std::chrono::nanoseconds(0)).count());
    }
    static Barrier read(message::Reader& in) {
        auto state = sync::read_barrier(in);
        const bool has_action = message::decode<bool>(in);
        void (*const action)() = has_action ? message::decode<void (*)()>(in) : nullptr;
        const bool has_timeout = message::decode<bool>(in);
        const std::chrono::nanoseconds timeout(in.read_raw<std::chrono::nanoseconds::rep>());
        return {std::move(state), action, has_timeout ? std::optional(timeout) : std::nullopt};
    }
};

namespace threading {
/// A barrier between threads.
using Barrier = sync::Barrier<sync::Home::thread>;
}  // namespace threading
namespace multiprocessing {
/// A barrier between processes. Travels as an argument, by handle.
using Barrier = sync::Barrier<sync::Home::process>;
}  // namespace multiprocessing

}  // namespace chorus

#pragma GCC visibility pop
