// The trace: events of all workers of a program, written as they happen if CHORUS_TRACE names a file.
//
// Layout of the file: the array of events that Chrome's and Perfetto's trace viewers read. Its first
// line is `[`; each of the others is one event, written to the file's end by one write. Viewers take
// the array without its end, so nothing has to be finished: a killed process leaves a complete trace.
// `ts` is the monotonic clock in microseconds, one for all processes. `ph` is the kind of an event:
//
//     B, E  a span of a thread begins, ends: a run of a function, a task, a wait   cat: run, task, wait
//     i     an instant: a worker starts, is found dead; a message is put or got    cat: life, message
//     s, f  an arrow from a task's submission to its beginning, both of one `id`   cat: task
//     M     the name of a process or a thread
//
// The program's first process empties the file and puts a `+` before the name in the variable. A
// process that finds the `+` appends. So all processes of a program, and the programs that it starts,
// write into one file.
//
// Thread safety: every function may be called from any thread.
// Crash safety: a process may die at any instant; events that it had begun are in the file. The process
// that receives the death writes its event.
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <utility>

namespace chorus::inline v0::detail::trace {

extern constinit std::atomic<bool> switched_on;

/// All that tracing costs while it is off.
inline bool is_on() noexcept { return switched_on.load(std::memory_order_relaxed); }

/// Before main: opens the file that CHORUS_TRACE names. Without a name, or if the file cannot be
/// opened, nothing is traced.
void begin(std::string_view program);
/// In a copy of a process: it has another number, and is in none of the original's spans.
void begin_in_copy() noexcept;

enum class Kind { run, task, wait, message, life };

struct Argument {
    Argument(const char* key, std::string_view text) noexcept : name(key), text_value(text), is_text(true) {}
    Argument(const char* key, std::int64_t value) noexcept : name(key), number(value) {}

    const char* name;
    std::string_view text_value{};
    std::int64_t number = 0;
    bool is_text = false;
};
using Arguments = std::initializer_list<Argument>;

// All functions below do nothing while tracing is off. A caller that has to compute a name checks
// is_on() first.

void name_process(std::string_view name, int parent) noexcept;
void name_thread(std::string_view name) noexcept;

/// Spans of a thread are ended in the reverse order.
void begin_span(Kind kind, std::string_view name, Arguments arguments = {}) noexcept;
void end_span(Arguments arguments = {}) noexcept;
/// Ends all spans of this thread, which is about to end the program.
void end_spans() noexcept;

void instant(Kind kind, std::string_view name, Arguments arguments = {}) noexcept;
/// Of the main thread of another process, which has died.
void instant_of(int process, Kind kind, std::string_view name, Arguments arguments = {}) noexcept;

/// A number that no other arrow of the program has.
std::uint64_t new_arrow() noexcept;
void begin_arrow(std::uint64_t arrow) noexcept;
/// It leads to the span that this thread is in.
void end_arrow(std::uint64_t arrow) noexcept;

/// A span that ends with its scope.
class Span {
public:
    Span() = default;
    ~Span() { end(); }
    Span(const Span&) = delete;
    Span& operator=(const Span&) = delete;

    /// Requires: called once.
    void begin(Kind kind, std::string_view name, Arguments arguments = {}) noexcept {
        if (!is_on()) return;
        begin_span(kind, name, arguments);
        begun_ = true;
    }
    void end() noexcept {
        if (std::exchange(begun_, false)) end_span();
    }
    bool has_begun() const noexcept { return begun_; }

private:
    bool begun_ = false;
};

/// The span of a call that may have to wait, from its first sleep to its end. Without a name it is not
/// traced.
class Wait {
public:
    explicit Wait(const char* call) noexcept : call_(call) {}
    void begins() noexcept {
        if (is_on() && call_ != nullptr && !span_.has_begun()) span_.begin(Kind::wait, call_);
    }

private:
    const char* const call_;
    Span span_;
};

}  // namespace chorus::inline v0::detail::trace
