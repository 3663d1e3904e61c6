// Barrier: a fixed number of parties wait for each other, then all continue.
//
// Semantics: Python's threading.Barrier in both namespaces. A handle is a light value: its copies refer to
// the same barrier.
//
// Thread safety: any thread of any process that has a handle may make any call.
// Crash safety: if a party is killed while it waits, or in the action, the barrier breaks: all waiters and
//        all later callers get BrokenBarrierError, which names the dead party, until reset(). A party that
//        dies before it calls wait() is only late. If a process that shares the barrier overwrites it, each
//        call throws Damaged.
#pragma once

#include <chorus/version.hpp>

#include <functional>
#include <memory>
#include <ostream>
#include <type_traits>
#include <utility>

#include <chorus/deadline.hpp>
#include <chorus/detail/handle.hpp>
#include <chorus/detail/message/encoding.hpp>
#include <chorus/detail/sharing.hpp>

namespace chorus::inline v0::detail::sync {
struct BarrierState;
}

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0 {

/// What barriers between threads and between processes have in common.
class BarrierBase {
public:
    /// As wait(Deadline), with the limit that was given to the constructor.
    int wait() const;
    /// Waits until all parties have called wait(). Returns the order of arrival: 0 for the first, parties() −
    /// 1 for the last. The last one runs the action before any party continues; an exception of the action
    /// breaks the barrier and is thrown to that party.
    /// Throws: BrokenBarrierError if the barrier is broken, breaks, or is reset meanwhile. A party whose
    /// deadline passes breaks the barrier for all.
    int wait(Deadline deadline) const;
    /// Makes it usable again; current waiters get BrokenBarrierError.
    void reset() const;
    /// Breaks it.
    void abort() const;
    /// The number of parties.
    int parties() const;
    /// The number of parties that wait: a snapshot.
    int n_waiting() const;
    /// Whether it is broken, until reset().
    bool broken() const;
    /// Whether the handle refers to a barrier: false after it was moved from. Calls throw UsageError then.
    bool valid() const noexcept { return static_cast<bool>(state_); }

    /// As Python's: `<Barrier(waiters=1/3)>`, `<Barrier(broken)>`.
    friend std::ostream& operator<<(std::ostream& out, const BarrierBase& barrier);

protected:
    using State = std::shared_ptr<detail::sync::BarrierState>;

    BarrierBase(detail::Sharing sharing, int parties, std::function<void()> action, Deadline timeout);
    BarrierBase(State state, std::function<void()> action, Deadline timeout)
        : state_(std::move(state)), action_(std::move(action)), timeout_(timeout) {}
    ~BarrierBase() = default;
    BarrierBase(const BarrierBase&) = default;
    BarrierBase& operator=(const BarrierBase&) = default;
    BarrierBase(BarrierBase&&) noexcept = default;
    BarrierBase& operator=(BarrierBase&&) noexcept = default;

    void write(detail::message::Writer& out) const;
    static std::pair<State, Deadline> read_state(detail::message::Reader& in);

private:
    friend detail::Access;
    int run_action_and_open(std::uint32_t generation, std::uint32_t index) const;
    int wait_for_others(std::uint32_t generation, std::uint32_t index, Deadline deadline) const;

    detail::Handle<detail::sync::BarrierState> state_;
    std::function<void()> action_;
    Deadline timeout_;
};
std::ostream& operator<<(std::ostream& out, const BarrierBase& barrier);

/// mt::Barrier and mp::Barrier: may be used again and again.
/// Throws (constructor): UsageError unless there are 1 to 32,767 parties; OsError if no shared memory can be
/// had.
template <detail::Sharing sharing>
class BasicBarrier : public BarrierBase {
public:
    /// What the last party to arrive runs. Between processes each of them must have it: a function, or a
    /// lambda without captures.
    using Action =
        std::conditional_t<sharing == detail::Sharing::processes, void (*)(), std::function<void()>>;

    /// `parties`: 1 to 32,767. `timeout`: of each wait() that is called without a deadline.
    explicit BasicBarrier(int parties, Action action = nullptr, Deadline timeout = {})
        : BarrierBase(sharing, parties, as_function(action), timeout), action_(action) {}

private:
    friend detail::Access;
    friend detail::HandleCodec<BasicBarrier>;
    BasicBarrier(std::pair<State, Deadline> state, Action action)
        : BarrierBase(std::move(state.first), as_function(action), state.second), action_(action) {}

    static std::function<void()> as_function(const Action& action) {
        return action == nullptr ? std::function<void()>() : std::function<void()>(action);
    }
    void write(detail::message::Writer& out) const {
        BarrierBase::write(out);
        out.write_raw(action_ != nullptr);
        if (action_ != nullptr) detail::message::encode(out, action_);
    }
    static BasicBarrier read(detail::message::Reader& in) {
        auto state = read_state(in);
        const bool has_action = detail::message::decode<bool>(in);
        return BasicBarrier(std::move(state), has_action ? detail::message::decode<Action>(in) : nullptr);
    }

    Action action_;
};

namespace threading {
/// A barrier between threads.
using Barrier = BasicBarrier<detail::Sharing::threads>;
}  // namespace threading
namespace multiprocessing {
/// A barrier between processes. Travels as an argument, by handle.
using Barrier = BasicBarrier<detail::Sharing::processes>;
}  // namespace multiprocessing

template <>
struct codec<multiprocessing::Barrier> : detail::HandleCodec<multiprocessing::Barrier> {};

}  // namespace chorus::inline v0

#pragma GCC visibility pop
