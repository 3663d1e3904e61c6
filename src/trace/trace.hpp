// What all workers of a program do, written down while they do it, if CHORUS_TRACE names a file.
//
// Layout of the file: the array of events that Chrome's and Perfetto's trace viewers read. Its first line is
// `[`; each of the others is one event, written to the file's end by one write. Viewers take the array
// without its end, so nothing has to be finished: who is killed leaves a whole trace. `ts` is the system's
// monotonic clock in microseconds, one for all processes. `ph` says what an event is:
//
//     B, E  a span of a thread begins, ends: a run of a function, a task, a wait    cat: run, task, wait
//     i     an instant: a worker starts, is found dead; a message is put or got     cat: life, message
//     s, f  an arrow from a task's submission to its beginning, both of one `id`    cat: task
//     M     the name of a process or a thread
//
// The program's first process empties the file and puts a `+` before the name in the variable: who finds it
// there appends. So all processes of a program, and the programs that it starts itself, write into one file.
//
// Threads: every function may be called from any thread.
// Death: at any instant; what had been begun stands in the file. The one who hears of a death writes it down.
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

/// Before main: opens the file that CHORUS_TRACE names, if it names one. Else, and where the file cannot be
/// opened, nothing is traced.
void begin(std::string_view program);
/// In a copy of a process: it is another one, and in none of the original's spans.
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

// All that follow do nothing while tracing is off. Whoever has to work for a name asks is_on() first.

void name_process(std::string_view name, int parent) noexcept;
void name_thread(std::string_view name) noexcept;

/// Spans of a thread are ended in the reverse order.
void begin_span(Kind kind, std::string_view name, Arguments arguments = {}) noexcept;
void end_span(Arguments arguments = {}) noexcept;
/// All that this thread has begun: it leaves the program.
void end_spans() noexcept;

void instant(Kind kind, std::string_view name, Arguments arguments = {}) noexcept;
/// Of the main thread of a process that cannot say it itself any more.
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

    /// Once.
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

/// Of a call that may have to wait: from where it goes to sleep for the first time until it is over. Without
/// a name it is not told.
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
