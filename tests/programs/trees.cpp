// trees METHOD ENDING PIDS GATE: starts daemons from three kinds of threads, each of which starts processes
// of its own, runs a task, and then ends. Each process writes its number into the file PIDS and passes GATE.
#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>

#include <unistd.h>

#include <chorus/chorus.hpp>

#include "../worker/scratch.hpp"

namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;

namespace {

void linger() {
    ::alarm(50);  // a library that lets it live shall not do so indefinitely
    for (;;) ::pause();
}

void grow(const std::string& method, const std::string& pids, const std::string& gate, int depth) {
    tell(pids, std::to_string(::getpid()));
    if (depth > 0) {
        // The second is no daemon by its own flag; that its parent is one makes it part of the tree.
        mp::get_context(method).Process({.daemon = true}, grow, method, pids, gate, depth - 1).start();
        mp::get_context(method).Process({.daemon = false}, grow, method, pids, gate, 0).start();
    }
    pass_gate(gate);
    linger();
}

void deafen_and_grow(const std::string& method, const std::string& pids, const std::string& gate) {
    std::signal(SIGTERM, SIG_IGN);
    grow(method, pids, gate, 0);
}

}  // namespace

int main(int, char** argv) {
    const std::string method = argv[1];
    const std::string ending = argv[2];
    const std::string pids = argv[3];
    const std::string gate = argv[4];
    const auto start = [=] {
        mp::get_context(method).Process({.daemon = true}, grow, method, pids, gate, 2).start();
    };
    constexpr int processes_in_a_tree = 5;
    int expected = 3 * processes_in_a_tree;
    start();
    std::thread(start).join();  // a thread that has ended is no longer a parent
    mt::Thread([=] {            // by value: main may have returned before it ends
        start();
        // Joined at a normal end, it must not keep the program from it.
        if (ending != "return" && ending != "exit" && ending != "deaf") linger();
    })
        .start();
    if (ending == "deaf") {
        mp::get_context(method).Process({.daemon = true}, deafen_and_grow, method, pids, gate).start();
        ++expected;
    }
    const bool is_violent = ending != "return" && ending != "exit" && ending != "deaf";
    if (is_violent) {
        mp::set_start_method(method);
        mp::async(grow, method, pids, gate, 0);  // its result will not be asked for
        ++expected;
    }
    for (int i = 0; i < expected; ++i) wait_at_gate(gate);
    if (ending == "SIGKILL") ::raise(SIGKILL);
    if (ending == "abort") std::abort();
    if (ending == "_exit") ::_exit(0);
    if (ending == "quick_exit") std::quick_exit(0);
    if (ending == "exception") throw ending;
    if (ending == "exit") std::exit(0);
    return 0;
}
