#include "worker/lifetime.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <streambuf>

#include <ext/stdio_sync_filebuf.h>

#include <chorus/errors.hpp>
#include "platform/crash.hpp"
#include "platform/execution.hpp"
#include "platform/exit_word.hpp"
#include "platform/futex.hpp"
#include "platform/life_line.hpp"
#include "platform/modules.hpp"
#include "platform/os_thread.hpp"
#include "platform/process_exit.hpp"
#include "platform/process_id.hpp"
#include "platform/process_start.hpp"
#include "platform/signals.hpp"
#include "sync/liveness.hpp"
#include "sync/shared_runtime.hpp"
#include "sync/waiting.hpp"
#include "trace/trace.hpp"
#include "worker/child_main.hpp"
#include "worker/children.hpp"
#include "worker/futures.hpp"
#include "worker/identity.hpp"
#include "worker/parent_pages.hpp"
#include "worker/reexec.hpp"
#include "worker/start_forkserver.hpp"
#include "worker/threads.hpp"

namespace chorus::inline v0::detail::worker {
namespace {

// Constant-initialised: static constructors of the program may ask.
constinit std::atomic<bool> begun{false};
constinit std::atomic<std::uint32_t> progress{0};  ///< of finish(): 0, 1 while a thread is at it, 2 when done
constinit std::atomic<std::uint32_t> leaver{0};    ///< the thread that will leave, by its ticket
constinit std::atomic<std::uint32_t> tickets{0};
constinit thread_local std::uint32_t ticket = 0;  ///< of this thread, once it wants to leave
constinit std::atomic<bool> ending{false};
constinit std::atomic<bool> left_in_handler{false};  ///< some thread has called exit() in a signal's handler

// Before main, where no other thread is.
const std::streambuf* unbuffered = nullptr;

void look_at_standard_streams() {
    // As long as it is synchronised with stdio (the default), std::cout buffers nothing itself.
    if (dynamic_cast<__gnu_cxx::stdio_sync_filebuf<char>*>(std::cout.rdbuf()) != nullptr)
        unbuffered = std::cout.rdbuf();
}

[[gnu::hot]] void flush_standard_streams() noexcept {
    if (unbuffered == nullptr || std::cout.rdbuf() != unbuffered) {
        for (std::ostream* stream : {&std::cout, &std::cerr, &std::clog}) {
            try {
                stream->flush();
            } catch (...) {
            }
        }
    }
    std::fflush(nullptr);
}

// The name that other processes read when this thread holds a lock, or died with it.
void write_own_name(char* buffer, std::size_t size) {
    const auto thread = name_of_made_thread();
    std::snprintf(buffer, size, "%s%s%s", identity().name.c_str(), thread.empty() ? "" : "|", thread.c_str());
}

// In a copy of this process, also one that Chorus did not make: forgets what belongs to the original.
void after_fork() {
    trace::begin_in_copy();
    progress = 0;
    leaver = 0;
    ending = false;
    left_in_handler = false;
    begun_here.threads = false;
    forget_other_threads();
    forget_children_numbering();
    if (begun_here.futures.exchange(false)) forget_futures();
    if (!begun_here.children.exchange(false)) return;
    forget_children();
    forget_fork_server();
    forget_parent_pages();
    drop_life_line();
}

// Registered before every handler of the program, so that it runs after them: a spawned child destroys
// its statics, and may change its exit code there. Destructors of a shared library run later; they are
// not waited for.
[[gnu::constructor(101)]] void tell_exit_after_all() {
    platform::on_exit_call([](int code) { platform::tell_exit(code); });
}

void join_everything() noexcept;

[[gnu::hot]] [[noreturn]] void leave(int code) {
    flush_standard_streams();
    platform::tell_exit(code);
    platform::leave_at_once(code);
}

}  // namespace

constinit Begun begun_here;
constinit std::atomic<bool (*)()> finish_above{nullptr};
constinit std::atomic<void (*)()> leave_above{nullptr};

bool has_begun() noexcept { return begun; }
bool is_ending() noexcept { return ending; }

namespace {

std::vector<std::string>& arguments() {
    static auto* const kept = new std::vector<std::string>;
    return *kept;
}

}  // namespace

const std::vector<std::string>& program_arguments() { return arguments(); }

namespace {

enum class By { exit, main_that_returns };

bool waits_for_others() noexcept {
    return finish_above.load() != nullptr || begun_here.threads || begun_here.children || begun_here.futures;
}

[[gnu::hot]] void end(By by) noexcept {
    if (!begun) return;
    if (trace::is_on()) trace::end_spans();
    platform::go_on_unhalted();  // another thread that leaves may take this one for a daemon
    if (ticket == 0) ticket = tickets.fetch_add(1) + 1;
    const auto self = ticket;
    std::uint32_t before = 0;
    if (by == By::exit) {
        before = leaver.exchange(self);
    } else if (!leaver.compare_exchange_strong(before, self) && before != self) {
        for (;;) platform::wait_for_signal();  // until the leaving thread ends the process
    }
    const bool in_handler = waits_for_others() && platform::is_inside_such_a_handler();
    // Before anything that may wait for a lock: the handler may have interrupted this thread while it
    // held it.
    if (in_handler && !left_in_handler.exchange(true)) {
        platform::let_signals_end_their_handler();
    } else if (in_handler && before != self) {
        platform::end_inside_signal_handler();  // the second signal: the first did not suffice
    }
    // Threads that wait for this one continue, and find that it is not the last one.
    if (const auto leave = leave_above.load()) leave();
    if (begun_here.futures) futures_thread_leaves();
    std::uint32_t untouched = 0;
    if (!progress.compare_exchange_strong(untouched, 1)) {
        if (before != self) current_thread_will_leave();  // so that no join waits for this thread
        while (before != self && progress == 1) platform::futex_wait(progress, 1);
        return;
    }
    join_everything();
    progress = 2;
    platform::futex_wake_all(progress);
    while (leaver != self) platform::futex_wait(leaver, leaver);  // the leaving thread ends the process
}

}  // namespace

[[gnu::hot]] void finish() noexcept { end(By::exit); }

void stay_if_another_leaves() noexcept {
    const auto who = leaver.load();
    if (who == 0 || who == ticket || platform::thread_id() != platform::process_id()) return;
    for (;;) platform::wait_for_signal();  // until that thread ends the process
}

namespace {

[[gnu::hot]] void join_everything() noexcept {
    try {
        if (begun_here.threads) main_thread_has_ended();
        // A worker that was joined may have started others.
        for (bool waited = true; waited;) {
            const auto above = finish_above.load();
            waited = above != nullptr && above();
            waited = (begun_here.threads && join_threads()) || waited;
            waited = (begun_here.children && join_children()) || waited;
            waited = (begun_here.futures && finish_futures()) || waited;
        }
        ending = true;
        if (begun_here.children) stop_fork_server();
        flush_standard_streams();
        // A daemon that cannot be halted would run while statics are destroyed. Then they are not
        // destroyed.
        if (begun_here.threads && !halt_daemon_threads())
            platform::on_exit_call([](int code) { leave(code); });
        sync::refuse_endless_waits(identity().parent_name.empty());
    } catch (const std::exception& error) {
        std::fprintf(stderr, "chorus: at the program's end: %s\n", error.what());
        ending = true;
    }
}

}  // namespace

void leave_statics_to_their_maker() {
    platform::on_exit_call([](int code) {
        finish();
        leave(code);
    });
}

[[gnu::hot]] int run_program(int argc, char** argv, char** environment,
                             int (*user_main)(int, char**, char**)) {
    arguments().assign(argv, argv + argc);
    platform::note_modules_of_the_beginning();
    platform::note_execution(argc, argc > 0 ? argv[0] : "");
    adopt_main_thread();
    look_at_standard_streams();
    sync::forget_in_copies();
    platform::after_fork_in_child(after_fork);
    sync::name_participants_by(write_own_name);
    trace::begin(argc > 0 ? argv[0] : "");
    int life_line = -1;
    if (const auto child = setup_of_executed_image(argc > 0 ? argv[0] : "", life_line)) {
        begun = true;
        child_main(child->request(), child->call(), child->report(), life_line);
    }
    begun = true;
    platform::on_exit_call([](int) { finish(); });
    trace::Span run;
    if (trace::is_on()) {
        trace::name_process(identity().name, 0);
        trace::name_thread("MainThread");
        run.begin(trace::Kind::run, "main");
    }
    int code = 0;
    By by = By::main_that_returns;
    try {
        code = user_main(argc, argv, environment);
    } catch (const SystemExit& exit) {
        if (exit.message()) std::fprintf(stderr, "%s\n", exit.message()->c_str());
        code = exit.code();
        by = By::exit;
    }
    end(by);
    return code;
}

}  // namespace chorus::inline v0::detail::worker
