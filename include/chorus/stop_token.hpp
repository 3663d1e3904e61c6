// StopSource and StopToken: work that ends because it was asked to.
//
//     chorus::StopSource stop;
//     auto f = pool.submit(count, stop.get_token(), 1000);   // void count(chorus::StopToken stop, int n)
//     stop.request_stop();
//
// Names follow std::stop_source and std::stop_token. Both kinds of worker take them: they lie in memory that
// processes share, and travel as arguments, in queues and in pipes. Copies mean the same request.
//
// Threads: every call may come from any thread of any process that has a handle.
// Death: asking waits for nobody; who is killed while it asks has asked all or none.
#pragma once

#include <chorus/event.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus {

/// What a task looks at, to see whether it was asked to stop. A handle, which travels as an argument.
class StopToken {
public:
    /// Whether it was asked.
    bool stop_requested() const noexcept { return event_.is_set(); }
    /// Sleeps until it is. Returns false when the deadline passed first: a pause that a request ends early.
    bool wait(Deadline deadline = {}) const { return event_.wait(deadline); }

private:
    friend class StopSource;
    friend struct codec<StopToken>;
    explicit StopToken(multiprocessing::Event event) noexcept : event_(std::move(event)) {}
    multiprocessing::Event event_;
};

/// Throws (constructor): OsError when there is no memory to share.
class StopSource {
public:
    StopSource() = default;
    /// Returns: false if it was requested before. Of two that ask at the same moment both may be told true.
    bool request_stop() {
        if (event_.is_set()) return false;
        event_.set();
        return true;
    }
    /// Whether it was asked already.
    bool stop_requested() const noexcept { return event_.is_set(); }
    /// What a task gets to look at; travels as an argument.
    StopToken get_token() const noexcept { return StopToken(event_); }

private:
    friend struct codec<StopSource>;
    explicit StopSource(multiprocessing::Event event) noexcept : event_(std::move(event)) {}
    multiprocessing::Event event_;
};

template <>
struct codec<StopToken> {
    static void write(message::Writer& out, const StopToken& token) {
        codec<multiprocessing::Event>::write(out, token.event_);
    }
    static StopToken read(message::Reader& in) { return StopToken(codec<multiprocessing::Event>::read(in)); }
};
template <>
struct codec<StopSource> {
    static void write(message::Writer& out, const StopSource& source) {
        codec<multiprocessing::Event>::write(out, source.event_);
    }
    static StopSource read(message::Reader& in) {
        return StopSource(codec<multiprocessing::Event>::read(in));
    }
};

}  // namespace chorus

#pragma GCC visibility pop
