#include "trace/trace.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "platform/append_file.hpp"
#include "platform/os_thread.hpp"
#include "platform/process_id.hpp"
#include "trace/line.hpp"

namespace chorus::inline v0::detail::trace {

constinit std::atomic<bool> switched_on{false};

namespace {

constexpr const char* variable = "CHORUS_TRACE";

constinit int file = -1;  // set before main, and open until the end
constinit std::atomic<std::uint64_t> arrows{0};

/// The calling thread as an event names it. Requested from the kernel once, because that costs as much
/// as writing the event.
struct Here {
    int process = 0;
    int thread = 0;
    int open_spans = 0;
};
constinit thread_local Here here;

const Here& this_thread() noexcept {
    if (here.process == 0) {
        here.process = platform::process_id();
        here.thread = platform::thread_id();
    }
    return here;
}

const char* name_of(Kind kind) noexcept {
    switch (kind) {
        case Kind::run: return "run";
        case Kind::task: return "task";
        case Kind::wait: return "wait";
        case Kind::message: return "message";
        case Kind::life: return "life";
    }
    return "";
}

void tell(const std::string& path, const std::string& why) {
    std::fprintf(stderr, "chorus: CHORUS_TRACE: cannot write %s: %s\n", path.c_str(), why.c_str());
}

void write(const Line& line) noexcept {
    const int code = platform::append(file, line.data(), line.size());
    if (code == 0 || !switched_on.exchange(false)) return;
    char text[160];
    const int size = std::snprintf(text, sizeof text, "chorus: CHORUS_TRACE: the trace ends here: %s\n",
                                   platform::reason(code));
    platform::append(2, text, std::min(sizeof text - 1, static_cast<std::size_t>(size)));
}

/// An event up to its arguments, and its end.
class Event {
public:
    Event(char what, int process, int thread) noexcept {
        line_.raw("{\"ph\":\"")
            .raw({&what, 1})
            .raw("\",\"ts\":")
            .time(std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
        line_.raw(",\"pid\":").number(process).raw(",\"tid\":").number(thread);
    }
    explicit Event(char what) noexcept : Event(what, this_thread().process, this_thread().thread) {}

    Event& named(std::string_view name) noexcept {
        line_.raw(",\"name\":").quoted(name);
        return *this;
    }
    Event& of(Kind kind) noexcept {
        line_.raw(",\"cat\":\"").raw(name_of(kind)).raw("\"");
        return *this;
    }
    Event& raw(std::string_view text) noexcept {
        line_.raw(text);
        return *this;
    }
    Event& number(std::uint64_t value) noexcept {
        line_.number(static_cast<std::int64_t>(value));
        return *this;
    }
    Event& with(Arguments arguments) noexcept {
        if (arguments.size() == 0) return *this;
        const char* before = ",\"args\":{";
        for (const auto& each : arguments) {
            line_.raw(before).quoted(each.name).raw(":");
            each.is_text ? line_.quoted(each.text_value, Line::longest_text) : line_.number(each.number);
            before = ",";
        }
        line_.raw("}");
        return *this;
    }
    void write() noexcept { trace::write(line_.raw("},\n")); }

private:
    Line line_;
};

}  // namespace

void begin(std::string_view program) {
    const char* const value = ::secure_getenv(
        variable);  // in a program with rights of another user its caller must not empty files by it
    if (value == nullptr || *value == '\0') return;
    const bool is_first = *value != '+';
    std::string path = is_first ? value : value + 1;
    try {
        path = std::filesystem::absolute(path).string();
        file = platform::open_to_append(path, is_first).release();
    } catch (const std::exception& error) {
        if (is_first) ::unsetenv(variable);  // other processes need not try
        return tell(path, error.what());
    }
    switched_on = true;
    if (!is_first) return;
    ::setenv(variable, ("+" + path).c_str(), 1);
    Line first;
    write(first.raw("[\n"));
    Event('M').named("chorus_trace").with({{"program", program}}).write();
}

[[gnu::hot]] void begin_in_copy() noexcept {
    here = {};
}  // every copy that a fork server makes runs this (child_main.cpp)

void name_process(std::string_view name, int parent) noexcept {
    if (is_on()) Event('M').named("process_name").with({{"name", name}, {"parent", parent}}).write();
}

void name_thread(std::string_view name) noexcept {
    if (is_on()) Event('M').named("thread_name").with({{"name", name}}).write();
}

void begin_span(Kind kind, std::string_view name, Arguments arguments) noexcept {
    if (!is_on()) return;
    ++here.open_spans;
    Event('B').of(kind).named(name).with(arguments).write();
}

void end_span(Arguments arguments) noexcept {
    if (here.open_spans == 0) return;  // begun by the process of which this one is a copy
    --here.open_spans;
    if (is_on()) Event('E').with(arguments).write();
}

void end_spans() noexcept {
    while (here.open_spans > 0) end_span();
}

void instant(Kind kind, std::string_view name, Arguments arguments) noexcept {
    if (is_on()) Event('i').of(kind).named(name).raw(",\"s\":\"t\"").with(arguments).write();
}

void instant_of(int process, Kind kind, std::string_view name, Arguments arguments) noexcept {
    if (is_on())
        Event('i', process, process).of(kind).named(name).raw(",\"s\":\"p\"").with(arguments).write();
}

std::uint64_t new_arrow() noexcept {
    return static_cast<std::uint64_t>(this_thread().process) << 30 | (arrows.fetch_add(1) + 1);
}

void begin_arrow(std::uint64_t arrow) noexcept {
    if (is_on()) Event('s').of(Kind::task).named("task").raw(",\"id\":").number(arrow).write();
}

void end_arrow(std::uint64_t arrow) noexcept {
    if (is_on()) Event('f').of(Kind::task).named("task").raw(",\"bp\":\"e\",\"id\":").number(arrow).write();
}

}  // namespace chorus::inline v0::detail::trace
