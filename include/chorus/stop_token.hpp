// StopSource, StopToken and StopCallback: ask work to stop, in threads and in processes.
//
//     chorus::StopSource stop;
//     auto f = pool.submit(count, stop.get_token(), 1000);   // void count(chorus::StopToken stop, int n)
//     stop.request_stop();
//
//     chorus::StopToken token = jthread_stop_token;          // of a std::stop_token
//     chorus::StopCallback callback(token, [&] { socket.close(); });
//
// Semantics: names follow std::stop_source, std::stop_token and std::stop_callback. The request lies in
// memory that processes share: sources and tokens travel as arguments, in queues and in pipes. Copies refer
// to the same request.
//
// Thread safety: any thread of any process that has a handle may make any call.
// Crash safety: request_stop() does not wait; a process killed inside it has requested for all waiters or for
//        none.
#pragma once

#include <chorus/version.hpp>

#include <concepts>
#include <functional>
#include <memory>
#include <stop_token>
#include <utility>

#include <chorus/event.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0 {

/// What a task checks to see whether it should stop. Travels as an argument.
class StopToken {
public:
    /// Passes the requests of a std::stop_source on, as long as a copy of this object lives in this process.
    /// Throws: OsError if no shared memory can be had.
    StopToken(std::stop_token token);

    /// Whether a stop was requested.
    bool stop_requested() const { return event_.is_set(); }
    /// Waits for the request. Returns false if the deadline passes first: a sleep that a request ends early.
    bool wait(Deadline deadline = {}) const { return event_.wait(deadline); }
    /// Whether the handle refers to a request: false after it was moved from. Calls throw UsageError then.
    bool valid() const noexcept { return event_.valid(); }

private:
    friend class StopSource;
    friend class StopCallback;
    friend detail::HandleCodec<StopToken>;
    explicit StopToken(multiprocessing::Event event) noexcept : event_(std::move(event)) {}
    void write(detail::message::Writer& out) const { codec<multiprocessing::Event>::write(out, event_); }
    static StopToken read(detail::message::Reader& in) {
        return StopToken(codec<multiprocessing::Event>::read(in));
    }

    multiprocessing::Event event_;
    std::shared_ptr<void> passes_on_;  ///< the callback at a std::stop_token, if it was made of one
};

/// What requests a stop. Travels as an argument.
/// Throws (constructor): OsError if no shared memory can be had.
class StopSource {
public:
    /// Without a request.
    StopSource() = default;
    /// Requests a stop. Returns false if it was requested before; of two calls at the same time both may
    /// return true.
    bool request_stop() const {
        if (event_.is_set()) return false;
        event_.set();
        return true;
    }
    /// Whether a stop was requested.
    bool stop_requested() const { return event_.is_set(); }
    /// For the task.
    StopToken get_token() const { return StopToken(event_); }
    /// Whether the handle refers to a request: false after it was moved from. Calls throw UsageError then.
    bool valid() const noexcept { return event_.valid(); }

private:
    friend detail::HandleCodec<StopSource>;
    explicit StopSource(multiprocessing::Event event) noexcept : event_(std::move(event)) {}
    void write(detail::message::Writer& out) const { codec<multiprocessing::Event>::write(out, event_); }
    static StopSource read(detail::message::Reader& in) {
        return StopSource(codec<multiprocessing::Event>::read(in));
    }

    multiprocessing::Event event_;
};

/// Calls a function when a stop is requested, as std::stop_callback does: immediately, in the constructor, if
/// it was requested before; else in a thread of the library's, one for each StopCallback. An exception of the
/// function ends the program.
class StopCallback {
public:
    /// Throws: OsError if the system has no more threads; UsageError if the token was moved from.
    template <std::invocable Function>
    StopCallback(const StopToken& token, Function function)
        : StopCallback(token, std::function<void()>(std::move(function)), 0) {}
    StopCallback(const StopCallback&) = delete;
    StopCallback& operator=(const StopCallback&) = delete;
    /// The function is not called any more. Waits for it if it is being called, unless by this thread.
    ~StopCallback();

private:
    struct State;
    StopCallback(const StopToken& token, std::function<void()> function, int);

    std::shared_ptr<State> state_;
};

template <>
struct codec<StopToken> : detail::HandleCodec<StopToken> {};
template <>
struct codec<StopSource> : detail::HandleCodec<StopSource> {};

}  // namespace chorus::inline v0

#pragma GCC visibility pop
