// Event: a flag that threads or processes wait for.
//
// Semantics: Python's threading.Event in both namespaces. A handle is a light value: its copies refer to the
// same event.
//
// Thread safety: any thread of any process that has a handle may make any call.
// Crash safety: set() does not wait, so a waiter that died cannot block it. A process killed inside set()
//        has set the event for all waiters or for none. If a process that shares the event overwrites it,
//        each call throws Damaged.
#pragma once

#include <chorus/version.hpp>

#include <memory>
#include <ostream>
#include <utility>

#include <chorus/deadline.hpp>
#include <chorus/detail/handle.hpp>
#include <chorus/detail/message/bytes.hpp>
#include <chorus/detail/sharing.hpp>

namespace chorus::inline v0::detail::sync {
struct EventState;
}

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0 {

/// What events between threads and between processes have in common.
class EventBase {
public:
    /// Whether the event is set: a snapshot.
    bool is_set() const;
    /// Sets the event and wakes all waiters. They return true even if clear() follows at once.
    void set() const;
    /// Resets the event: later waiters wait for the next set().
    void clear() const;
    /// Waits until the event is set. Returns true if it is set or was set while this call waited, even if it
    /// was cleared since; false if the deadline passes first.
    bool wait(Deadline deadline = {}) const;
    /// Whether the handle refers to an event: false after it was moved from. Calls throw UsageError then.
    bool valid() const noexcept { return static_cast<bool>(state_); }

    /// As Python's: `<Event set>`, `<Event unset>`.
    friend std::ostream& operator<<(std::ostream& out, const EventBase& event);

protected:
    using State = std::shared_ptr<detail::sync::EventState>;

    explicit EventBase(State state) noexcept : state_(std::move(state)) {}
    explicit EventBase(detail::Sharing sharing);
    ~EventBase() = default;
    EventBase(const EventBase&) = default;
    EventBase& operator=(const EventBase&) = default;
    EventBase(EventBase&&) noexcept = default;
    EventBase& operator=(EventBase&&) noexcept = default;

    void write(detail::message::Writer& out) const;
    static State read_state(detail::message::Reader& in);

private:
    friend detail::Access;
    detail::Handle<detail::sync::EventState> state_;
};
std::ostream& operator<<(std::ostream& out, const EventBase& event);

/// mt::Event and mp::Event.
/// Throws (constructor): OsError if no shared memory can be had.
template <detail::Sharing sharing>
class BasicEvent : public EventBase {
public:
    /// An event that is not set.
    BasicEvent() : EventBase(sharing) {}

private:
    friend detail::Access;
    friend detail::HandleCodec<BasicEvent>;
    explicit BasicEvent(State state) noexcept : EventBase(std::move(state)) {}
    static BasicEvent read(detail::message::Reader& in) { return BasicEvent(read_state(in)); }
};

namespace threading {
/// An event between threads.
using Event = BasicEvent<detail::Sharing::threads>;
}  // namespace threading
namespace multiprocessing {
/// An event between processes. Travels as an argument, by handle.
using Event = BasicEvent<detail::Sharing::processes>;
}  // namespace multiprocessing

template <class T>
struct codec;
template <>
struct codec<multiprocessing::Event> : detail::HandleCodec<multiprocessing::Event> {};

}  // namespace chorus::inline v0

#pragma GCC visibility pop
