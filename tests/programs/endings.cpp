// endings CASE METHOD …: programs that end while something still runs, one for each word.
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chorus/chorus.hpp>

#include "../worker/scratch.hpp"

using namespace std::chrono_literals;
namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;

namespace {

std::string method;  // set by main: children with fresh statics do not know it

mp::Context context() { return mp::get_context(method); }

void linger() {
    ::alarm(50);
    for (;;) ::pause();
}

// ---- what is joined ----

void say_after_main_and_report() {
    mt::main_thread().join();
    chorus::print("a thread, after main's code had ended");
}

void child_with_threads() {
    mt::Thread(say_after_main_and_report).start();
    mt::Thread({.daemon = true}, linger).start();
    chorus::print("the child's main code ends");
}

int wait_for_threads() {
    auto child = context().Process(child_with_threads);
    child.start();
    child.join();
    chorus::print("exit code", child.exitcode());
    return 0;
}

int join_on_shutdown() {
    child_with_threads();
    return 0;
}

// A child that was started by a thread which is still there, and has threads of its own that wait for main.
int join_in_child_from_thread() {
    mt::Thread starter([] { wait_for_threads(); });
    starter.start();
    starter.join();
    return 0;
}

void outlive_and_say(int parent) {
    std::this_thread::sleep_for(200ms);
    chorus::print(::getppid() == parent ? "the parent is there" : "the parent is gone");
}

int dropped() {
    for (int i = 0; i < 3; ++i) context().Process(outlive_and_say, ::getpid()).start();
    mt::Thread([] { context().Process(outlive_and_say, ::getpid()).start(); }).start();
    return 7;
}

void start_one_that_is_dropped(const std::string& by) {
    mp::get_context(by).Process(outlive_and_say, ::getpid()).start();
    std::exit(4);
}

int dropped_in_child() {
    auto child = context().Process(start_one_that_is_dropped, method);
    child.start();
    child.join();
    return child.exitcode().value_or(99);
}

int number_after_a_while(int parent) {
    outlive_and_say(parent);
    return 5;
}

int running_task() {
    mp::set_start_method(method);
    mp::async(number_after_a_while, ::getpid()).add_done_callback([](const auto& future) {
        chorus::print("the task gave", future.get());
    });
    return 0;
}

int thread_local_destructors() {
    struct Loud {
        std::string name = "set";
        ~Loud() {
            std::this_thread::sleep_for(100ms);
            chorus::print("a thread's own object is destroyed");
        }
    };
    mt::Thread([] {
        static thread_local Loud loud;
        loud.name = "used";
    }).start();
    std::atexit([] { chorus::print("handlers of exit"); });
    return 0;
}

// ---- the exit code ----

int exit_with_running_thread() {
    mt::Thread({.daemon = true}, linger).start();
    mt::Thread([] { mt::main_thread().join(); }).start();
    std::exit(20);
}

// ---- handlers of exit ----

void say_in_exit() { chorus::print("handler in", mp::current_process().name()); }

void register_and_return() { std::atexit(say_in_exit); }
void register_and_exit() {
    std::atexit(say_in_exit);
    std::exit(0);
}

int atexit_handlers() {
    for (auto* const target : {register_and_return, register_and_exit}) {
        auto child = context().Process({.name = "child"}, target);
        child.start();
        child.join();
    }
    std::atexit(say_in_exit);
    return 0;
}

int atexit_called_once() {
    std::atexit(say_in_exit);
    mt::Thread(say_after_main_and_report).start();
    for (int i = 0; i < 2; ++i) {
        auto child = context().Process([] {});
        child.start();
        child.join();
    }
    std::exit(0);
}

template <class Function>
void expect_refusal(const char* what, Function function) {
    try {
        function();
        chorus::print(what, "not refused");
    } catch (const chorus::UsageError& error) {
        chorus::print(what, "refused:", error.what());
    }
}

int start_at_finalization() {
    std::atexit([] {
        expect_refusal("thread", [] { mt::Thread([] { chorus::print("a thread ran"); }).start(); });
        expect_refusal("process", [] { context().Process([] { chorus::print("a process ran"); }).start(); });
        expect_refusal("run", [] { mp::run([] { chorus::print("a process ran"); }); });
        expect_refusal("async", [] { mp::async([] { chorus::print("a process ran"); }); });
    });
    return 0;
}

mt::Thread* kept_thread = nullptr;

int join_daemon_in_finalization() {
    kept_thread = new mt::Thread({.daemon = true}, linger);
    kept_thread->start();
    std::atexit([] { expect_refusal("join", [] { kept_thread->join(); }); });
    return 0;
}

int join_finished_daemon_in_finalization() {
    kept_thread = new mt::Thread({.daemon = true}, [] {});
    kept_thread->start();
    kept_thread->join();
    std::atexit([] { chorus::print("joined:", kept_thread->join()); });
    return 0;
}

// ---- daemon threads and statics ----

std::atomic<bool> statics_are_gone{false};

struct Book {
    std::map<int, std::string> pages;
    ~Book() {
        if (pages.empty()) return;  // not what this program is about
        statics_are_gone = true;
        std::vector<std::string> much;
        for (int i = 0; i < 20'000; ++i)
            much.push_back(
                std::string(static_cast<std::size_t>(i % 3000), 'x'));  // needs the allocator's locks
        std::printf("the static object is destroyed\n");
    }
};
Book book;

[[noreturn]] void scribble() {
    std::map<int, std::string> pages;
    for (int i = 0;; ++i) {
        if (statics_are_gone) {
            std::fprintf(stderr, "a daemon runs while statics are destroyed\n");
            ::_exit(99);
        }
        pages[i % 50] = std::string(static_cast<std::size_t>(i % 2000), 'y');
        std::fprintf(stdout, "%s", "");
    }
}

int daemon_threads() {
    book.pages[1] = "one";
    for (int i = 0; i < 12; ++i) mt::Thread({.daemon = true}, scribble).start();
    return 0;
}

void busy_child() {
    book.pages[1] = "one";
    for (int i = 0; i < 4; ++i) mt::Thread({.daemon = true}, scribble).start();
}

int daemon_threads_in_child() {
    auto child = context().Process(busy_child);
    child.start();
    child.join();
    return child.exitcode().value_or(98);
}

// ---- streams ----

void look_at_streams(const std::string& path) {
    std::string open;
    for (int i = 0; i < 3; ++i) open += ::fcntl(i, F_GETFD) < 0 ? "closed " : "open ";
    tell(path, open);
    std::printf("printf");
    std::cout << "cout";
    std::cerr << "cerr";
    chorus::print("print");
}

// The caller has closed all three; PATH is where to tell.
int closed_streams(const std::string& path) {
    for (int i = 0; i < 2; ++i) {
        auto child = context().Process(look_at_streams, path);
        child.start();
        child.join();
        tell(path, "exit code " + std::to_string(child.exitcode().value_or(-99)));
    }
    auto thrower = context().Process([] { throw std::runtime_error("nobody hears it"); });
    thrower.start();
    thrower.join();
    tell(path, "exit code " + std::to_string(thrower.exitcode().value_or(-99)));
    return 0;
}

void break_own_streams() {
    std::printf("lost");
    std::cout << "lost";
    for (int i = 0; i < 3; ++i) ::close(i);
}

int broken_streams() {
    auto child = context().Process(break_own_streams);
    child.start();
    child.join();
    chorus::print("exit code", child.exitcode());
    return 0;
}

// ---- limits ----

int no_more_processes() {
    // The limit does not bind root: become a user that it does bind.
    if (::geteuid() == 0 && (::setgroups(0, nullptr) != 0 || ::setresgid(65534, 65534, 65534) != 0 ||
                             ::setresuid(65534, 65534, 65534) != 0))
        return 97;
    ::prctl(PR_SET_DUMPABLE, 1);
    struct rlimit limit {};
    ::getrlimit(RLIMIT_NPROC, &limit);
    struct rlimit none = limit;
    none.rlim_cur = 1;
    ::setrlimit(RLIMIT_NPROC, &none);
    auto child = context().Process([] { chorus::print("it ran"); });
    std::string message = "not refused";
    try {
        child.start();
    } catch (const chorus::OsError& error) {
        message = error.what();
    }
    chorus::print(message);
    chorus::print("children:", mp::active_children().size(), "alive:", child.is_alive());
    ::setrlimit(RLIMIT_NPROC, &limit);
    child.start();
    child.join();
    chorus::print("exit code", child.exitcode());
    return 0;
}

// ---- print ----

void print_lines(int process, int thread) {
    for (int i = 0; i < 3; ++i)
        chorus::print(process, thread, i, std::string(100'000, static_cast<char>('a' + thread)));
}

void print_from_threads(int process) {
    for (int i = 0; i < 4; ++i) mt::Thread(print_lines, process, i).start();
}

int print_from_all() {
    for (int i = 0; i < 8; ++i) context().Process(print_from_threads, i).start();
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string which = argv[1];
    method = argc > 2 ? argv[2] : "forkserver";
    const std::string path = argc > 3 ? argv[3] : "";
    const std::map<std::string, int (*)()> cases{
        {"wait_for_threads", wait_for_threads},
        {"join_on_shutdown", join_on_shutdown},
        {"join_in_child_from_thread", join_in_child_from_thread},
        {"dropped", dropped},
        {"dropped_in_child", dropped_in_child},
        {"running_task", running_task},
        {"thread_local_destructors", thread_local_destructors},
        {"exit_with_running_thread", exit_with_running_thread},
        {"atexit_handlers", atexit_handlers},
        {"atexit_called_once", atexit_called_once},
        {"start_at_finalization", start_at_finalization},
        {"join_daemon_in_finalization", join_daemon_in_finalization},
        {"join_finished_daemon_in_finalization", join_finished_daemon_in_finalization},
        {"daemon_threads", daemon_threads},
        {"daemon_threads_in_child", daemon_threads_in_child},
        {"broken_streams", broken_streams},
        {"no_more_processes", no_more_processes},
        {"print_from_all", print_from_all},
    };
    if (which == "closed_streams") return closed_streams(path);
    return cases.at(which)();
}
