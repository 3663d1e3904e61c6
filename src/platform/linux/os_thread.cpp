#include "platform/os_thread.hpp"

#include <algorithm>
#include <atomic>
#include <climits>
#include <csignal>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include <chorus/errors.hpp>
#include "platform/futex.hpp"
#include "platform/modules.hpp"
#include "platform/syscall.hpp"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

namespace chorus::inline v0::detail::platform {

std::uintptr_t start_thread(void* (*body)(void*), void* argument, std::size_t stack_size) {
    pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (stack_size != 0) ::pthread_attr_setstacksize(&attributes, stack_size);
    pthread_t thread{};
    const int code = ::pthread_create(&thread, &attributes, body, argument);
    ::pthread_attr_destroy(&attributes);
    if (code != 0) throw os_error("start a thread", code);
    return thread;
}

namespace {

constexpr std::size_t usual_stack = std::size_t{1} << 20;

bool has_small_stack() noexcept {
    pthread_attr_t attributes;
    if (::pthread_getattr_np(::pthread_self(), &attributes) != 0) return false;
    std::size_t size = 0;
    ::pthread_attr_getstacksize(&attributes, &size);
    ::pthread_attr_destroy(&attributes);
    return size < usual_stack;
}

}  // namespace

void run_with_usual_stack(void (*function)(void*), void* argument) {
    if (!has_small_stack()) return function(argument);
    struct Errand {
        void (*function)(void*);
        void* argument;
        std::atomic<std::uint32_t> done{0};
    } errand{function, argument, {}};
    start_thread(
        [](void* raw) -> void* {
            auto& here = *static_cast<Errand*>(raw);
            here.function(here.argument);
            here.done = 1;
            futex_wake_all(here.done);
            return nullptr;
        },
        &errand, 0);
    while (errand.done == 0) futex_wait(errand.done, 0);
}

std::uintptr_t this_thread() noexcept { return ::pthread_self(); }
int thread_count() noexcept {
    struct stat threads {};
    // Of a directory's links, two are its own.
    return ::stat("/proc/self/task", &threads) == 0 ? std::max(static_cast<int>(threads.st_nlink) - 2, 1) : 1;
}

int thread_id() noexcept { return ::gettid(); }

void name_this_thread(const char* name) noexcept {
    char text[16]{};
    std::strncpy(text, name, sizeof text - 1);
    std::size_t size = std::strlen(text);
    if (name[size] != '\0') {  // cut: leave no part of a character
        while (size > 0 && (static_cast<unsigned char>(name[size]) & 0xC0) == 0x80) --size;
        text[size] = '\0';
    }
    ::prctl(PR_SET_NAME, text);
}

void name_this_thread_after_program(const char* path) noexcept {
    const char* slash = std::strrchr(path, '/');
    name_this_thread(slash != nullptr ? slash + 1 : path);
}

namespace {

struct ThreadEnd {
    void (*function)(void*);
    void* argument;
};
thread_local ThreadEnd thread_end{};

// The C library destroys thread_locals first and keys afterwards, in rounds for as long as a destructor
// sets its key again: in the second round the destructors of all other keys have run too.
pthread_key_t end_key() {
    static const pthread_key_t key = [] {
        pthread_key_t made{};
        ::pthread_key_create(&made, [](void* round) {
            if (round == &thread_end) {
                ::pthread_setspecific(end_key(), &thread_end.argument);
            } else {
                thread_end.function(thread_end.argument);
            }
        });
        return made;
    }();
    return key;
}

}  // namespace

void at_thread_end(void (*function)(void*), void* argument) {
    thread_end = {function, argument};
    ::pthread_setspecific(end_key(), &thread_end);
}

void yield_processor() noexcept { ::sched_yield(); }

std::size_t smallest_stack() noexcept {
    constexpr long usable = 32 * 1024;  // with less a thread could not even print
    return static_cast<std::size_t>(std::max(::sysconf(_SC_THREAD_STACK_MIN), usable));
}

void signal_main_thread(int signal) {
    check(::syscall(SYS_tgkill, ::getpid(), ::getpid(), signal), "signal the main thread");
}

// ---- halting ----------------------------------------------------------------------------------
//
// A signal handler stops its thread at the interrupted instruction. Inside the C library the thread may
// hold a lock that the rest of the program needs to end (of malloc, of a stream). There the handler
// returns, and the signal is sent again. A thread that slept in an interruptible system call holds
// none.
namespace {

constexpr int most_tries = 5000;
constexpr int halt_signal_offset = 3;  // from SIGRTMAX; used only while the program ends

thread_local volatile int not_halted = 0;
thread_local volatile bool goes_on_unhalted = false;

struct Halting {
    std::atomic<std::uint32_t> answers{0};
    std::atomic<std::uint32_t> halted{0};
    std::atomic<std::uint32_t> stopped{0};  ///< of those: blocked indefinitely
    struct Range {
        std::uintptr_t begin;
        std::uintptr_t end;
    };
    std::vector<Range> runtime;  ///< code of the C and C++ libraries and the dynamic loader
};
Halting* halting = nullptr;

bool in_runtime(std::uintptr_t address) {
    for (const auto& range : halting->runtime) {
        if (address >= range.begin && address < range.end) return true;
    }
    return false;
}

struct Caller {
    std::uintptr_t of;
    std::uintptr_t found = 0;
    bool next = false;
};

// A thread that makes one system call after the other is always interrupted as one returns. If the
// program itself called that function of the C library, no other function of the library is active.
bool was_called_by_the_program(std::uintptr_t pc) {
    Caller caller{pc};
    _Unwind_Backtrace(
        [](_Unwind_Context* frame, void* raw) {
            auto& here = *static_cast<Caller*>(raw);
            if (here.next) {
                here.found = _Unwind_GetIP(frame);
                return _URC_END_OF_STACK;
            }
            here.next = _Unwind_GetIP(frame) == here.of;
            return _URC_NO_REASON;
        },
        &caller);
    return caller.found != 0 && !in_runtime(caller.found);
}

bool slept_in_system_call([[maybe_unused]] const ucontext_t& context) {
#if defined(__x86_64__)
    const auto pc = static_cast<std::uintptr_t>(context.uc_mcontext.gregs[REG_RIP]);
    const auto is_syscall = [](std::uintptr_t at) {
        return std::memcmp(reinterpret_cast<const void*>(at), "\x0f\x05", 2) == 0;
    };
    // Interrupted calls either failed with EINTR or stand before being made again.
    return (is_syscall(pc - 2) &&
            (context.uc_mcontext.gregs[REG_RAX] == -EINTR || was_called_by_the_program(pc))) ||
           is_syscall(pc);
#elif defined(__aarch64__)
    const std::uintptr_t pc = context.uc_mcontext.pc;
    const auto is_syscall = [](std::uintptr_t at) {
        constexpr std::uint32_t supervisor_call = 0xd4000001;  // svc #0
        return std::memcmp(reinterpret_cast<const void*>(at), &supervisor_call, 4) == 0;
    };
    return (is_syscall(pc - 4) && (static_cast<std::int64_t>(context.uc_mcontext.regs[0]) == -EINTR ||
                                   was_called_by_the_program(pc))) ||
           is_syscall(pc);
#else
#error "where a thread is met inside a system call is to be written for this architecture"
#endif
}

std::uintptr_t instruction([[maybe_unused]] const ucontext_t& context) {
#if defined(__x86_64__)
    return static_cast<std::uintptr_t>(context.uc_mcontext.gregs[REG_RIP]);
#else
    return context.uc_mcontext.pc;
#endif
}

void halt_here(int, siginfo_t*, void* raw) {
    const int saved = errno;
    const auto& context = *static_cast<const ucontext_t*>(raw);
    const bool safe = not_halted == 0 && (!in_runtime(instruction(context)) || slept_in_system_call(context));
    if (safe || goes_on_unhalted) halting->halted.fetch_add(1);
    if (safe && !goes_on_unhalted) halting->stopped.fetch_add(1);
    halting->answers.fetch_add(1);
    futex_wake_all(halting->answers);
    while (safe && !goes_on_unhalted) ::pause();
    errno = saved;
}

// The malloc that the process calls: jemalloc's, say, or a sanitizer's.
const void* allocator() { return ::dlsym(RTLD_DEFAULT, "malloc"); }

bool is_the_programs_own(const void* function) {
    if (!main_module().holds(function)) return false;
    // A program linked for a fixed address may have an entry for a library's function whose address it
    // takes.
    Dl_info info{};
    const ElfW(Sym)* symbol = nullptr;
    auto* const found = const_cast<void**>(reinterpret_cast<const void**>(&symbol));
    const bool known = ::dladdr1(function, &info, found, RTLD_DL_SYMENT) != 0 && symbol != nullptr;
    return !known || symbol->st_shndx != SHN_UNDEF;
}

void find_runtime(Halting& state) {
    const auto allocating = module_of(allocator());
    if (allocating) {
        for (const auto& range : allocating->ranges) {
            const auto base = allocating->base;
            if (range.executable) state.runtime.push_back({base + range.begin, base + range.end});
        }
    }
    dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* context) {
            const std::string path = info->dlpi_name != nullptr ? info->dlpi_name : "";
            const std::string name = path.substr(path.rfind('/') + 1);
            bool runtime = false;
            for (const char* stem :
                 {"libc.", "ld-linux", "libstdc++.", "libpthread.", "libgcc_s.", "libasan.", "libtsan.",
                  "libubsan.", "libclang_rt.", "libdw", "libelf"}) {
                runtime = runtime || name.starts_with(stem);
            }
            for (int i = 0; runtime && i < info->dlpi_phnum; ++i) {
                const auto& header = info->dlpi_phdr[i];
                if (header.p_type != PT_LOAD || (header.p_flags & PF_X) == 0) continue;
                static_cast<Halting*>(context)->runtime.push_back(
                    {info->dlpi_addr + header.p_vaddr, info->dlpi_addr + header.p_vaddr + header.p_memsz});
            }
            return 0;
        },
        &state);
}

// From /proc: whether the thread blocks this signal. A thread that has ended blocks nothing.
bool blocks(int thread, int signal) {
    std::ifstream status("/proc/self/task/" + std::to_string(thread) + "/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("SigBlk:"))
            return ((std::stoull(line.substr(7), nullptr, 16) >> (signal - 1)) & 1U) != 0;
    }
    return false;
}

// Every thread blocks all signals for a moment, when it begins and when it ends.
bool is_deaf(int thread, int signal) {
    for (int look = 0; look < 100; ++look) {
        if (!blocks(thread, signal)) return false;
        yield_processor();
    }
    return true;
}

}  // namespace

namespace {
constinit std::atomic<int> servants{0};
}  // namespace

void count_as_servant() noexcept { ++servants; }

int running_threads() noexcept {
    const int stopped = halting != nullptr ? static_cast<int>(halting->stopped.load()) : 0;
    return thread_count() - stopped - servants.load();
}

NotHalted::NotHalted() noexcept { not_halted = not_halted + 1; }
NotHalted::~NotHalted() { not_halted = not_halted - 1; }
void go_on_unhalted() noexcept { goes_on_unhalted = true; }

bool halt_threads(std::span<const int> thread_ids) {
    if (thread_ids.empty()) return true;
    // Code that must not be halted cannot be distinguished from other code.
    if (is_statically_linked() || is_the_programs_own(allocator())) return false;
    const int signal = SIGRTMAX - halt_signal_offset;
    halting = new Halting;  // never freed: halted threads read it
    find_runtime(*halting);
    struct sigaction action {};
    action.sa_sigaction = halt_here;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    ::sigfillset(&action.sa_mask);
    ::sigaction(signal, &action, nullptr);
    bool all = true;
    for (const int thread : thread_ids) {
        bool deaf = is_deaf(thread, signal);
        for (int tries = 0; !deaf; ++tries) {
            if (tries == most_tries) {
                deaf = true;
                break;
            }
            const auto answers = halting->answers.load();
            const auto halted = halting->halted.load();
            if (::syscall(SYS_tgkill, ::getpid(), thread, signal) < 0) break;  // it has ended by itself
            while (halting->answers.load() == answers) {
                // A thread that ends now never answers: check again at intervals.
                if (!futex_wait(halting->answers, answers, std::chrono::milliseconds(10)) &&
                    ::syscall(SYS_tgkill, ::getpid(), thread, 0) < 0)
                    break;
            }
            if (halting->halted.load() != halted) break;
            ::sched_yield();
        }
        all = all && !deaf;
    }
    return all;
}

}  // namespace chorus::inline v0::detail::platform
