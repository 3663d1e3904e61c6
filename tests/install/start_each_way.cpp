#include "start_each_way.hpp"

#include <csignal>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;

namespace {

constexpr int right = 3;
constexpr int wrong = 4;

void check_parent(int parent) {
    const bool child_of_parent = chorus::getppid() == parent && chorus::getpid() != parent;
    throw chorus::SystemExit(child_of_parent ? right : wrong);
}

void crash() { std::raise(SIGSEGV); }

int signal_of_crash() {
    try {
        mp::run(crash);
    } catch (const chorus::WorkerDied& died) {
        return died.signal();
    }
    return 0;
}

// Thrown inside the library, which may be a shared one with type names of its own.
bool is_known_by_its_type() {
    try {
        mt::Lock lock;
        lock.release();
    } catch (const chorus::UsageError&) {
        return true;
    } catch (...) {
    }
    return false;
}

int pid_here() { return chorus::getpid(); }

int failures = 0;
void expect(bool holds, const std::string& method, const char* what) {
    if (holds) return;
    chorus::print(method + ":", "not true:", what);
    ++failures;
}

}  // namespace

int start_each_way() {
    for (const std::string method : {"forkserver", "spawn", "fork"}) {
        mp::set_start_method(method, true);
        mp::Process child(check_parent, chorus::getpid());
        child.start();
        expect(child.pid() > 0 && child.pid() != chorus::getpid(), method, "the child has a pid of its own");
        expect(child.join(), method, "join() waits for the end");
        expect(child.exitcode() == right, method,
               "the child sees its pids and leaves with its own exit code");

        const int pid = mp::run(pid_here);
        expect(pid > 0 && pid != chorus::getpid(), method, "run() brings back a value from another process");
        expect(signal_of_crash() == SIGSEGV, method, "run() tells of a crash");
    }
    expect(is_known_by_its_type(), "library", "what it throws is caught by its type");
    int sum = 0;
    mt::Thread thread([&sum] { sum = right; });
    thread.start();
    thread.join();
    expect(sum == right, "thread", "its function has run");
    chorus::print("failures:", failures);
    return failures;
}
