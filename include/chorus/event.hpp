// Event: wait until somebody says go.
//
// Semantics: Python's threading.Event for both kinds. Handles are light values whose copies are the same
// event.
//
// Threads: every call may come from any thread of any process that has a handle.
// Death: set() waits for nobody, so a waiter that died cannot hold it up; a setter that is killed has
//        set it for all or for none.
//        One that was written over by a process that shares it says Damaged, in any call.
#pragma once

#include <memory>
#include <ostream>

#include <chorus/deadline.hpp>
#include <chorus/detail/message/bytes.hpp>
#include <chorus/detail/sync/home.hpp>

namespace chorus::sync {
struct EventState;
}

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus {

template <class T>
struct codec;

namespace sync {

/// What events of threads and of processes have in common.
class BasicEvent {
public:
    /// Whether it is set; an instant later that may have changed.
    bool is_set() const noexcept;
    /// Sets it and wakes all who wait, who are told of it even if a clear() follows at once.
    void set();
    /// Who waits from now on waits for the next set().
    void clear();
    /// Returns true if it is set, or was set at any time while waiting, even if it has been cleared since;
    /// false when the deadline passed.
    bool wait(Deadline deadline = {}) const;

    /// As Python's: `<Event set>`, `<Event unset>`.
    friend std::ostream& operator<<(std::ostream& out, const BasicEvent& event);

    const std::shared_ptr<EventState>& state() const noexcept { return state_; }

protected:
    explicit BasicEvent(std::shared_ptr<EventState> state) noexcept : state_(std::move(state)) {}
    explicit BasicEvent(Home home);
    BasicEvent(const BasicEvent&) = default;
    BasicEvent& operator=(const BasicEvent&) = default;
    ~BasicEvent() = default;

    std::shared_ptr<EventState> state_;
};
std::ostream& operator<<(std::ostream& out, const BasicEvent& event);

void write_event(message::Writer& out, const BasicEvent& event);
std::shared_ptr<EventState> read_event(message::Reader& in);

/// A flag to wait for.
/// Throws (constructor): OsError when there is no memory to share.
template <Home home>
class Event : public BasicEvent {
public:
    Event() : BasicEvent(home) {}
    explicit Event(std::shared_ptr<EventState> state) noexcept : BasicEvent(std::move(state)) {}
};

}  // namespace sync

template <>
struct codec<sync::Event<sync::Home::process>> {
    static void write(message::Writer& out, const sync::Event<sync::Home::process>& event) {
        sync::write_event(out, event);
    }
    static sync::Event<sync::Home::process> read(message::Reader& in) {
        return sync::Event<sync::Home::process>(sync::read_event(in));
    }
};

namespace threading {
/// An event between threads.
using Event = sync::Event<sync::Home::thread>;
}  // namespace threading
namespace multiprocessing {
/// An event between processes. Travels as an argument, by handle.
using Event = sync::Event<sync::Home::process>;
}  // namespace multiprocessing

}  // namespace chorus

#pragma GCC visibility pop
