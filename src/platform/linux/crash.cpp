#include "platform/crash.hpp"
#include "platform/exit_word.hpp"
#include "platform/linux/file_size_limit.hpp"
#include "platform/linux/sanitizer.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>

#include <fcntl.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

namespace chorus::inline v0::detail::platform {
namespace {

constexpr std::array crash_signals{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
constexpr std::size_t stack_for_handlers = 64 * 1024;

int record_file = -1;
off_t record_offset = 0;

struct Trace {
    std::uint64_t* frames;
    std::size_t count;
    std::size_t most;
    std::uintptr_t from;  ///< skip frames until this one is met; 0 for none
    std::uintptr_t last;  ///< none behind this one; 0 for all
};

_Unwind_Reason_Code add_frame(_Unwind_Context* context, void* argument) {
    auto& trace = *static_cast<Trace*>(argument);
    const std::uintptr_t address = _Unwind_GetIP(context);
    if (address == 0) return _URC_END_OF_STACK;
    if (trace.from != 0) {
        if (address != trace.from) return _URC_NO_REASON;
        trace.from = 0;
    }
    if (trace.count == trace.most) return _URC_END_OF_STACK;
    trace.frames[trace.count++] = address;
    return address == trace.last ? _URC_END_OF_STACK : _URC_NO_REASON;
}

std::uintptr_t instruction(const ucontext_t& context) {
#if defined(__x86_64__)
    return static_cast<std::uintptr_t>(context.uc_mcontext.gregs[REG_RIP]);
#elif defined(__aarch64__)
    return context.uc_mcontext.pc;
#else
    return 0;
#endif
}

ssize_t write_record(const void* data, std::size_t size, off_t offset) noexcept {
    return without_size_signal([&] { return ::pwrite(record_file, data, size, offset); });
}

// Only calls that are safe in a signal handler; the record is complete after each write.
void copy_memory_map(off_t offset) {
    const off_t end = offset + static_cast<off_t>(longest_memory_map);
    const int map = ::open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (map < 0) return;
    char buffer[4096];
    for (ssize_t size = 0; offset < end && (size = ::read(map, buffer, sizeof buffer)) > 0;) {
        if (write_record(buffer, static_cast<std::size_t>(size), offset) != size) break;
        offset += size;
    }
    ::close(map);
}

void record_crash(int signal, const siginfo_t* info, const void* raw) {
    CrashRecord record;
    record.signal = signal;
    record.fault_address = reinterpret_cast<std::uintptr_t>(info->si_addr);
    record.frames[0] = instruction(*static_cast<const ucontext_t*>(raw));
    record.frame_count = 1;
    // First what cannot fail: if walking a broken stack crashes too, this much is recorded.
    write_record(&record, sizeof record, record_offset);
    copy_memory_map(record_offset + static_cast<off_t>(sizeof record));
    Trace trace{record.frames.data(), 0, most_frames, record.frames[0], 0};
    _Unwind_Backtrace(add_frame, &trace);
    if (trace.count == 0) {  // the fault was a jump into nowhere: no frame matches it
        trace = {record.frames.data() + 1, 0, most_frames - 1, 0, 0};
        _Unwind_Backtrace(add_frame, &trace);
        ++trace.count;
    }
    record.frame_count = static_cast<std::int32_t>(trace.count);
    write_record(&record, sizeof record, record_offset);
}

void on_crash(int signal, siginfo_t* info, void* raw) {
    const int saved = errno;
    if (record_file >= 0) record_crash(signal, info, raw);
    tell_killed_by(signal);  // last: until here another thread may end the process in another way
    errno = saved;
    // The handler was reset when it was entered: returning repeats the fault, and kills. A signal that
    // was sent is sent again, and one after which the process would go on (a breakpoint, a forbidden
    // system call).
    const bool is_fault = signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL;
    if (info->si_code <= 0 || !is_fault) ::raise(signal);
}

// Bound at the program's start, as addresses in data are: copies of a process call it, and with lazy
// binding each copy would resolve the name anew, which costs ten page faults.
int (*const volatile bound_sigaction)(int, const struct sigaction*, struct sigaction*) = ::sigaction;

enum class Over { nothing, sanitizers };

[[gnu::hot]] void handle_crashes(Over over) noexcept {
    struct sigaction action {};
    action.sa_sigaction = on_crash;
    action.sa_flags = static_cast<int>(SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESETHAND);
    for (const int signal : crash_signals) {
        struct sigaction before {};
        bound_sigaction(signal, &action, &before);
        // Signals that the program handles are left to it. A sanitizer's handler would turn the signal
        // into an exit code and hide the crash.
        if (before.sa_handler != SIG_DFL && !(under_sanitizer && over == Over::sanitizers))
            bound_sigaction(signal, &before, nullptr);
    }
}

}  // namespace

void prepare_to_record_crashes() {
    static void* const stack = ::mmap(nullptr, stack_for_handlers, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) return;
    // Each thread has a signal stack of its own or none. In a copy this may be another thread than the
    // one that had this stack, which the copy lacks.
    stack_t before{};
    ::sigaltstack(nullptr, &before);
    const stack_t alternative{stack, 0, stack_for_handlers};
    if ((before.ss_flags & SS_DISABLE) != 0) ::sigaltstack(&alternative, nullptr);
}

void record_crashes(int descriptor, std::size_t offset) {
    prepare_to_record_crashes();
    record_file = descriptor;
    record_offset = static_cast<off_t>(offset);
    handle_crashes(Over::sanitizers);
}

[[gnu::hot]] void tell_crashes() noexcept {
    record_file = -1;
    handle_crashes(Over::nothing);
}

// ---- where an exception was thrown ------------------------------------------------------------
//
// Unwinding has two phases. The first only searches for a handler and leaves the stack as it is. It
// also calls the personality routine below, of the frame of watch_exceptions(), exactly if no frame
// further in has caught the exception: this is the moment to read the stack.
namespace {

thread_local std::array<std::uint64_t, most_frames> thrown_frames;
thread_local std::size_t thrown_count = 0;

}  // namespace

extern "C" __attribute__((visibility("hidden"), used)) _Unwind_Reason_Code chorus_leaving_exception(
    int, _Unwind_Action actions, _Unwind_Exception_Class, _Unwind_Exception*, _Unwind_Context* here) {
    if ((actions & _UA_SEARCH_PHASE) != 0) {
        Trace trace{thrown_frames.data(), 0, most_frames, 0, _Unwind_GetIP(here)};
        _Unwind_Backtrace(add_frame, &trace);
        thrown_count = trace.count;
    }
    return _URC_CONTINUE_UNWIND;
}

__attribute__((noinline, hot)) void watch_exceptions(void (*body)(void*), void* argument) {
    asm volatile(".cfi_personality 0x1b, chorus_leaving_exception");  // 0x1b: relative, 4 bytes
    thrown_count = 0;
    body(argument);
    asm volatile("");  // no tail call: the frame must be there
}

std::span<const std::uintptr_t> last_throw() {
    static_assert(sizeof(std::uintptr_t) == sizeof(std::uint64_t));
    return {reinterpret_cast<const std::uintptr_t*>(thrown_frames.data()), thrown_count};
}

}  // namespace chorus::inline v0::detail::platform
