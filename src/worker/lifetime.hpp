// The beginning and the end of every process of a program, the first one and each child.
//
// The end comes when main returns, when std::exit is called, and when a child's function has returned.
// Its steps, in this order:
// 1. threads and processes that are no daemons are joined, and daemon processes are ended;
// 2. the fork server is ended;
// 3. daemon threads are halted;
// 4. exit handlers run and statics are destroyed: in the process that made them, not in a copy of it.
//
// The two functions that the program's entry calls are visible outside a shared library.
#pragma once

#include <atomic>
#include <string>
#include <vector>

namespace chorus::inline v0::detail::worker {

/// Whether main has begun: from then until is_ending() processes and threads may be started.
bool has_begun() noexcept;
bool is_ending() noexcept;

/// What this process has begun, so that its end must finish it. Set by the code that begins it. A child
/// that began nothing ends without touching the code for it.
struct Begun {
    std::atomic<bool> threads{false};
    std::atomic<bool> children{false};
    std::atomic<bool> futures{false};
};
extern constinit Begun begun_here;

/// Finishes what a room above has begun, at the end, before threads and children are joined. Returns
/// false if there was nothing to do.
extern constinit std::atomic<bool (*)()> finish_above;
/// The calling thread will not continue its work: a room above stops waiting for what this thread alone
/// could do, because it was called from there (a callback that exits). Called before finish_above.
extern constinit std::atomic<void (*)()> leave_above;

/// Does all that precedes the destruction of statics, once, however often it is called. A thread that
/// calls it (through std::exit) while another thread runs it takes over the process's end: it waits
/// until all is done and leaves with its own exit code, and the other does not return. A main that
/// returns takes nothing over: the thread that called exit() before has given the exit code.
[[gnu::visibility("default")]] void finish() noexcept;

/// Called where a start fails because the program is ending. In the main thread it does not return if
/// another thread has called exit(), which waits for all threads but this one: an error that main does
/// not catch would end the program in another way.
void stay_if_another_leaves() noexcept;

/// Prepares the end of a process copied from another (forkserver, fork). Its exit runs only handlers
/// that were registered after this call, and flushes the standard streams. Other statics are not
/// destroyed: they belong to the process that made them.
void leave_statics_to_their_maker();

/// Runs the program: the user's main, or the call for which this process was started.
[[gnu::visibility("default")]] int run_program(int argc, char** argv, char** environment,
                                               int (*user_main)(int, char**, char**));

/// The program's arguments as it received them, for images of itself.
const std::vector<std::string>& program_arguments();

}  // namespace chorus::inline v0::detail::worker
